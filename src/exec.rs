//! Writes to the node: steps, verification, unwinding.
//!
//! [`run`] carries out a [`Plan`]: netlink for what the kernel's routing knows,
//! files for settings, `iptables-restore` for the packet filter, each inside
//! the step's namespace. When a step fails, what was done before it is taken
//! back in reverse order, and every error is told.

mod error;
mod message;
mod restore;
mod rtnl;
mod sysctl;
mod writer;

pub use error::{Cause, Error, StepError};
pub use restore::find_program;
pub use writer::Writer;

use crate::netns::NetnsDir;
use crate::plan::{Plan, Step, Undo};

/// Carries out a plan: all of it, or nothing and the reason.
pub fn run(plan: &Plan, dir: &NetnsDir) -> Result<(), Error> {
    let mut writer = Writer::new(dir.clone());
    let mut done: Vec<(&Step, Undo)> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        match writer.perform(&step.netns, &step.action) {
            Ok(undo) => done.push((step, undo)),
            Err(cause) => {
                let failed = Box::new(StepError::new(step, cause));
                return Err(unwind(&mut writer, failed, done));
            }
        }
    }
    Ok(())
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
