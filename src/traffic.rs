//! What captured packets come to: class, floating IP, hop and flow; counts per
//! interval; and the hop after which a floating IP's packets vanish. Pure: time
//! comes with the frames.
//!
//! A [`Meter`] understands frames by what is known of the node; it holds for one
//! snapshot. What it counts goes into a [`Traffic`], plain data that outlives
//! it. Closing an interval of that gives an [`Interval`].
//!
//! A packet's class is counted once, where it comes in from an instance or from
//! the outside; each hop of a floating IP counts it too, by device and
//! direction, so that the two ends of a veth pair are two hops and not one.

mod answers;
mod connections;
mod count;
mod errand;
mod fate;
mod filter;
mod flow;
mod follow;
mod fragment;
mod interval;
mod known;
mod meter;
mod parse;
mod pcapng;
mod site;
mod state;
mod stop;
mod talk;
mod tally;
mod told;
mod trail;
mod verdict;

pub use connections::{Connection, Connections};
pub use count::{CLASSES, Count, short};
pub use errand::{Aim, Errand};
pub use fate::Fate;
pub use filter::Filter;
pub use follow::{Conversation, Follow, Glimpse, LATELY, Lately, Trail, TrailPoint, Way, Waypoint};
pub use interval::{FipTraffic, FlowTraffic, Interval, RouterTraffic};
pub use meter::{Memory, Meter, Sighting};
pub use pcapng::Pcapng;
pub use state::{FipId, Hop, Traffic};
pub use stop::{Missing, StopsAt};
pub use told::{Health, Told};
pub use trail::{Expected, Loss, Station, Stations};
