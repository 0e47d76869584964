//! The clock of the measurements.

use std::time::Instant;

/// With one thread the seconds that this process was on a core, so that other work on the machine disturbs little; with
/// more those of the clock, for threads that wait for each other are on a core as well.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) threads: usize,
}

impl Clock {
    pub(crate) fn now(self) -> f64 {
        static STARTED: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        let on_core = || {
            let told = std::fs::read_to_string("/proc/self/stat").ok()?;
            // Behind the name, which ends with a bracket: hundredths of a second in the program and in the kernel.
            let mut fields = told.rsplit_once(')')?.1.split_whitespace().skip(11);
            let mut ticks = || fields.next()?.parse::<f64>().ok();
            Some((ticks()? + ticks()?) / 100.0)
        };
        let by_clock = || STARTED.get_or_init(Instant::now).elapsed().as_secs_f64();
        (self.threads == 1).then(on_core).flatten().unwrap_or_else(by_clock)
    }
}
