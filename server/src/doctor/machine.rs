//! The machine: are the pages built, is there room on the disk, is the date possible.

use super::Check;
use crate::config::Config;
use jiff::{Timestamp, tz::TimeZone};

/// An import of a million behaviours and its write-ahead log fit in this.
const LEAST_FREE: u64 = 2 << 30;

pub(super) fn pages(config: &Config) -> Check {
    let script = config.site.join("pkg/concord.js");
    if script.is_file() {
        Check::ok("pages", format!("{}", config.site.display()))
    } else {
        let found = format!("{} is not there: pages can be read, not worked with", script.display());
        Check::problem("pages", found, "cargo run -p concord-bundle, or set CONCORD_SITE")
    }
}

pub(super) fn disk(config: &Config) -> Check {
    // The data folder may not be there yet; what counts is the disk it will be on.
    let Some(folder) = config.data.ancestors().find(|folder| folder.exists()) else {
        return Check::problem(
            "disk",
            format!("{} has no parent", config.data.display()),
            "set CONCORD_DATA",
        );
    };
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail * disk.f_frsize;
            #[expect(clippy::cast_precision_loss, reason = "a figure with one decimal for people")]
            let found =
                format!("{:.1} GiB free for {}", free as f64 / (1u64 << 30) as f64, config.data.display());
            if free >= LEAST_FREE {
                Check::ok("disk", found)
            } else {
                Check::problem(
                    "disk",
                    found,
                    "free at least 2 GiB, or set CONCORD_DATA to a folder on a larger disk",
                )
            }
        }
        Err(error) => Check::problem("disk", format!("{}: {error}", folder.display()), "set CONCORD_DATA"),
    }
}

pub(super) fn calendar() -> Check {
    let year = Timestamp::now().to_zoned(TimeZone::UTC).year();
    let found = format!("the year is {year}");
    if (2026..2100).contains(&year) {
        Check::ok("date", found)
    } else {
        Check::problem("date", found, "set the clock")
    }
}
