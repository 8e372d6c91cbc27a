//! The console as a function: `State`, `Msg`, `update`, `view`, `keymap`, `theme`. Pure.
