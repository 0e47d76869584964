//! A detector on its way through the log: pure, from a monitor's row and back into it.

use concord_agreement::confidence_sequence::beta_binomial;
use concord_agreement::drift::Detector;
use concord_store::decisions::{Logged, confidence};
use concord_store::drift::MonitorRow;
use sha2::{Digest, Sha256};

/// Bets; those of 1/(1 − p0) or more are left out. With them a fall from .93 to .80 takes a median of 55 labels.
const BETS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// Most points of a chart; then every second one goes.
const POINTS: usize = 240;

/// The detector of a monitor that has read nothing.
pub(super) fn detector(p0: f64, alarm_at: f64) -> Detector {
    Detector::new(p0, &bets(p0), alarm_at)
}

fn bets(p0: f64) -> Vec<f64> {
    BETS.iter().copied().filter(|bet| *bet < 1.0 / (1.0 - p0)).collect()
}

/// What a monitor has read, as it goes on.
pub(super) struct Run {
    detector: Detector,
    n: i64,
    agreed: i64,
    hash: Vec<u8>,
    alarm: Option<(i64, Vec<u8>)>,
    points: Vec<f64>,
    every: i64,
}

impl Run {
    /// From where the row stands.
    pub(super) fn resume(row: &MonitorRow) -> Self {
        Self {
            detector: Detector::from_state(row.p0, &bets(row.p0), row.alarm_at, &row.state),
            n: row.n,
            agreed: row.agreed,
            hash: row.prefix_hash.clone(),
            alarm: row.alarm_n.zip(row.alarm_hash.clone()),
            points: row.points.clone(),
            every: row.every.max(1),
        }
    }

    /// Reads a decision if it is of the monitor's class and at least as sure as its certificate asks.
    pub(super) fn push(&mut self, of: &MonitorRow, entry: &Logged) {
        if entry.judge != (of.verdict == "pass") || confidence(entry.judge, entry.p_pass) < of.threshold {
            return;
        }
        let agrees = entry.judge == entry.pass;
        self.detector.push(agrees);
        self.n += 1;
        self.agreed += i64::from(agrees);
        let mut chain = Sha256::new_with_prefix(&self.hash);
        chain.update(entry.seq.to_le_bytes());
        chain.update([u8::from(agrees)]);
        self.hash = chain.finalize().to_vec();
        if self.alarm.is_none() && self.detector.alarmed() {
            self.alarm = Some((self.n, self.hash.clone()));
        }
        self.mark();
    }

    /// A point of the chart where one is due.
    fn mark(&mut self) {
        if self.n % self.every != 0 {
            return;
        }
        let whole = |n: i64| u64::try_from(n).unwrap_or(0);
        let (low, high) = beta_binomial(whole(self.agreed), whole(self.n), 0.05);
        self.points.extend([real(self.n), self.detector.e_sr(), low, high]);
        if self.points.len() >= 4 * POINTS {
            self.every *= 2;
            let every = natural(real(self.every));
            let kept = self.points.chunks_exact(4).filter(|point| natural(point[0]).is_multiple_of(every));
            self.points = kept.flatten().copied().collect();
        }
    }

    /// e-SR now.
    pub(super) fn statistic(&self) -> f64 {
        self.detector.e_sr()
    }

    /// The e-process since the start.
    pub(super) fn e_process(&self) -> f64 {
        self.detector.e_process()
    }

    /// Writes itself into the row; gives whether the alarm has rung since.
    pub(super) fn store(&self, row: &mut MonitorRow) -> bool {
        row.state = self.detector.state();
        (row.n, row.agreed, row.prefix_hash) = (self.n, self.agreed, self.hash.clone());
        (row.points, row.every) = (self.points.clone(), self.every);
        (row.alarm_n, row.alarm_hash) = self.alarm.clone().unzip();
        let before = row.status == "alarm";
        row.status = if before || self.detector.alarmed() {
            "alarm"
        } else if self.detector.warned() {
            "warning"
        } else {
            "ok"
        }
        .to_owned();
        !before && row.status == "alarm"
    }
}

/// A count of labels as a chart stores it, and back.
#[expect(clippy::cast_precision_loss, reason = "counts of labels are far below 2^52")]
fn real(n: i64) -> f64 {
    n as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, not negative")]
pub(super) fn natural(n: f64) -> u64 {
    n as u64
}
