//! No bytes make the reader panic: arbitrary ones, and real answers with damage.
