//! Why there is no plan, in the words of the form: what to do next here, not on
//! the command line.

use super::Field;
use crate::plan::Refused;
use crate::tui::words::one_line;

/// The field in which something has to be said.
pub(super) fn field(why: &Refused) -> Option<Field> {
    match why {
        Refused::Needs { options, .. } => options.iter().find_map(|option| Field::of_option(option)),
        Refused::Ambiguous { option, .. } => Field::of_option(option),
        Refused::Layout { .. } => Some(Field::Layout),
        Refused::NoBridge(_) => Some(Field::Bridge),
        Refused::NoRouter(_) => Some(Field::Router),
        Refused::NoSubnet { .. } | Refused::FixedIpInUse { .. } => Some(Field::FixedIp),
        Refused::Outside { .. } | Refused::FloatingIpInUse { .. } => Some(Field::FloatingIp),
        _ => None,
    }
}

/// The reason, and what to do next.
pub(super) fn words(why: &Refused) -> String {
    let text = why.to_string();
    let first = text.lines().next().unwrap_or_default();
    match why {
        Refused::Needs { what, options } => {
            let labels: Vec<&str> =
                options.iter().filter_map(|option| Some(Field::of_option(option)?.label())).collect();
            format!("{}; fill in: {}", one_line(what), labels.join(", "))
        }
        Refused::Ambiguous { option, .. } => {
            let label = Field::of_option(option).map_or("router", Field::label);
            format!("{first}; say which one in the field {label}, ↓ offers them")
        }
        Refused::NoRouter(_) => format!("{first}; ↓ in the field router offers those that there are"),
        Refused::NoSubnet { .. } => format!("{first}; ↓ offers the addresses known there"),
        Refused::Outside { .. } => format!("{first}; type an address of it, ↓ offers its beginning"),
        Refused::FloatingIpInUse { .. } => format!("{first}; d on it in the overview plans to remove that first"),
        Refused::FixedIpInUse { floating_ip, .. } => {
            format!("{first}; d on {floating_ip} in the overview plans to remove that first")
        }
        Refused::Layout { .. } => format!("{first}; empty the field layout"),
        Refused::NoBridge(_) => format!("{first}; ↓ in the field bridge offers those that there are"),
        Refused::Conflict(_) => format!("{first}; f shows what is in the way"),
        Refused::Unreadable { .. } => format!("{first}; R in the overview reads it again"),
        _ => one_line(&text),
    }
}
