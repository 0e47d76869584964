//! How fast a million behaviours go in, in how much memory. Run in release:
//! `cargo test --release -p concord-service --test service intake_speed -- --ignored --nocapture`

use concord_service::intake::{Format, ImportOptions, Kind, Reject, import};
use sqlx::PgPool;
use std::{
    io::{self, Read},
    time::Instant,
};

const ROWS: u64 = 1_000_000;

/// CSV behaviours, made as they are read: 20,000 users, 50,000 items.
#[derive(Default)]
struct Log {
    row: u64,
    line: Vec<u8>,
    at: usize,
}

impl Read for Log {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            self.line = match self.row {
                0 => b"user,kind,item,at\n".to_vec(),
                row if row > ROWS => return Ok(0),
                row => {
                    let mixed = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
                    let (user, item, at) =
                        (mixed % 20_000, mixed / 7 % 50_000, 1_600_000_000 + mixed / 3 % 90_000_000);
                    format!("user-{user},cart,item-{item},{at}\n").into_bytes()
                }
            };
            self.row += 1;
            self.at = 0;
        }
        let n = buffer.len().min(self.line.len() - self.at);
        buffer[..n].copy_from_slice(&self.line[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[sqlx::test(migrations = "../../migrations")]
#[ignore = "a measurement, for release builds"]
async fn a_million_behaviours(pool: PgPool) {
    for run in ["first", "again"] {
        let mut rejects: Vec<Reject> = Vec::new();
        let began = Instant::now();
        let options = ImportOptions::new(Kind::Behaviours, Format::Csv);
        let report =
            import(&pool, Log::default(), &options, &mut rejects, |_| {}).await.expect("gets through");
        let seconds = began.elapsed().as_secs_f64();
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
        println!("{run}: {} new in {seconds:.1} s, {:.0} rows/s, {peak}", report.new, ROWS as f64 / seconds);
    }
}
