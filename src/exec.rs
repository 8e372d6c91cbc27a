//! Writes to the node: steps, verification, unwinding.
//!
//! [`run()`] carries out a [`Plan`]: netlink for what the kernel's routing knows,
//! files for settings, `iptables-restore` for the packet filter, each inside
//! the step's namespace. When a step fails, what was done before it is taken
//! back in reverse order, and every error is told.

mod ahead;
mod announce;
mod change;
mod error;
mod file;
mod forget;
mod journal;
mod lock;
mod message;
mod past;
mod program;
mod restore;
mod rtnl;
mod run;
mod scope;
mod site;
mod switch;
mod sysctl;
mod tell;
mod verify;
mod writer;

pub use announce::{AnnounceError, announce_again};
pub use change::{Order, change};
pub use error::{Cause, Error, StepError};
pub use lock::holder;
pub use past::{complete, history, settle_by_hand, undo};
pub use program::find_program;
pub use run::Carried;
pub use site::Site;
pub use writer::Writer;

use std::thread;
use std::time::{Duration, Instant};

use crate::netns::NetnsDir;
use crate::plan::{Action, LinkSetting, Place, Plan, Step, Undo};

/// How long new devices get to come up: the link watch works once a second at
/// the least.
const LONGEST_SETTLING: Duration = Duration::from_secs(2);

/// Carries out a plan where nobody else is: all of it, or nothing and the
/// reason. For namespaces of the lab; what an operator wants of a node goes
/// through [`change`](change()).
pub fn run(plan: &Plan, dir: &NetnsDir) -> Result<(), Error> {
    let mut writer = Writer::new(dir.clone());
    let mut done: Vec<(&Step, Undo)> = Vec::with_capacity(plan.steps.len());
    for step in plan.to_do() {
        match writer.perform(&step.netns, &step.action) {
            Ok(undo) => done.push((step, undo)),
            Err(cause) => {
                let failed = Box::new(StepError::new(step, cause));
                return Err(unwind(&mut writer, failed, done));
            }
        }
    }
    settle(&mut writer, plan.to_do().map(|step| (&step.netns, &step.action)));
    Ok(())
}

/// Waits until the devices that were switched on carry packets. Of a new veth
/// pair the end that came up first does so only when the kernel's link watch
/// gets to it, and drops everything until then without a word. Not an error
/// where one never does: its other end may be off for a reason.
fn settle<'p>(writer: &mut Writer, steps: impl IntoIterator<Item = (&'p Place, &'p Action)>) {
    let begin = Instant::now();
    let on = LinkSetting::Up(true);
    for (place, action) in steps {
        let Action::SetLink { dev, to, .. } = action else { continue };
        while *to == on && matches!(writer.is_running(place, dev), Ok(false)) {
            if begin.elapsed() > LONGEST_SETTLING {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Takes back what was done, last thing first.
fn unwind(writer: &mut Writer, failed: Box<StepError>, done: Vec<(&Step, Undo)>) -> Error {
    let mut left = Vec::new();
    for (step, undo) in done.into_iter().rev() {
        let outcome = match undo {
            Undo::Action(action) => writer.perform(&step.netns, &action).map(drop),
            Undo::Nothing(why) => Err(Cause::NoWayBack(why)),
        };
        left.extend(outcome.err().map(|cause| StepError::new(step, cause)));
    }
    if left.is_empty() { Error::RolledBack { failed } } else { Error::Half { failed, left } }
}
