//! When a report was made.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::folder::Folder;
use super::names;

/// The time of the reading in UTC, and a word on where it comes from: a report
/// may have no clock, or one in a zone that its letters do not tell.
pub(super) fn taken_at(folder: &Folder) -> (Timestamp, &'static str) {
    let text = |files: &[&str]| folder.find(&names(files)).ok().map(|found| found.text);
    let timedatectl = text(&["sos_commands/systemd/timedatectl"]);
    if let Some(time) = timedatectl.as_deref().and_then(universal_time) {
        return (time, "time from timedatectl");
    }
    let utc = text(&["sos_commands/date/date_--utc"]);
    if let Some((time, _)) = utc.as_deref().and_then(date) {
        return (time, "time from date --utc");
    }
    let local = text(&["sos_commands/date/date", "sos_commands/host/date", "date"]);
    match local.as_deref().and_then(date) {
        Some((time, true)) => return (time, "time from date"),
        Some((time, false)) => return (time, "time from date, its zone not told and taken as UTC"),
        None => {}
    }
    let files = ["sos_commands/networking/ip_netns", "sos_commands/networking", "version.txt"];
    let time = files.iter().find_map(|file| folder.modified(file));
    (time.unwrap_or(Timestamp::UNIX_EPOCH), "time from the files, which may be that of unpacking")
}

/// `Universal time: Thu 2022-02-10 16:19:18 UTC`.
fn universal_time(text: &str) -> Option<Timestamp> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Universal time:"))?;
    let mut words = line.split_whitespace().skip(1);
    let stamp = format!("{}T{}", words.next()?, words.next()?);
    in_utc(stamp.parse().ok()?)
}

/// `Thu Feb 10 16:19:18 UTC 2022`, or `Thu 10 Feb 2022 04:19:18 PM UTC`; with
/// whether the zone is UTC.
fn date(text: &str) -> Option<(Timestamp, bool)> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let line = text.lines().next()?;
    let (mut month, mut day, mut year, mut clock, mut afternoon, mut utc) = (None, None, None, None, None, false);
    for word in line.split_whitespace() {
        match word {
            "PM" => afternoon = Some(true),
            "AM" => afternoon = Some(false),
            "UTC" | "GMT" => utc = true,
            _ if word.contains(':') => clock = word.parse::<jiff::civil::Time>().ok(),
            _ => {
                let known = MONTHS.iter().position(|name| word.starts_with(name));
                month = month.or(known.and_then(|at| i8::try_from(at + 1).ok()));
                match word.parse::<i16>() {
                    Ok(number) if number > 31 => year = Some(number),
                    Ok(number) => day = i8::try_from(number).ok(),
                    Err(_) => {}
                }
            }
        }
    }
    let clock = clock?;
    let hour = match afternoon {
        Some(afternoon) => clock.hour() % 12 + if afternoon { 12 } else { 0 },
        None => clock.hour(),
    };
    let when = DateTime::new(year?, month?, day?, hour, clock.minute(), clock.second(), 0).ok()?;
    Some((in_utc(when)?, utc))
}

fn in_utc(when: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(when).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_print_a_time_agree() {
        let wanted: Timestamp = "2022-02-10T16:19:18Z".parse().unwrap();
        assert_eq!(date("Thu Feb 10 16:19:18 UTC 2022\n"), Some((wanted, true)));
        assert_eq!(date("Thu 10 Feb 2022 04:19:18 PM UTC\n"), Some((wanted, true)));
        assert_eq!(date("Thu Feb 10 16:19:18 CET 2022"), Some((wanted, false)));
        assert_eq!(date("sos_commands/systemd/timedatectl"), None);
        let text = "  Local time: Thu 2022-02-10 17:19:18 CET\n  Universal time: Thu 2022-02-10 16:19:18 UTC\n";
        assert_eq!(universal_time(text), Some(wanted));
        assert_eq!(universal_time("Universal time: n/a"), None);
    }
}
