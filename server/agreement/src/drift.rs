//! Drift: does a judge still agree as often as it should? Valid however often one looks.

use crate::len;

/// Detectors of one stream of agreements, for the null "agreement is at least p0 whatever came before".
///
/// Each bet λ < 1/(1 − p0) multiplies its wealth by L = 1 + λ(p0 − x) a label. The e-process keeps the wealth
/// since the start: it ever reaches 1/a with probability at most a (Ville). e-SR, M ← (M + 1)·L, and e-CUSUM,
/// M ← max(M, 1)·L, begin anew with every label, so they notice a change after a long good time; the average run
/// length to a false alarm at c is at least c (Shin, Ramdas and Rinaldo 2024, e-detectors). Each is averaged over
/// bets. Kept in log space: a million labels neither overflow nor vanish.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    p0: f64,
    bets: Vec<f64>,
    alarm_at: f64,
    /// ln of e-SR, e-CUSUM and e-process by bet.
    sr: Vec<f64>,
    cusum: Vec<f64>,
    process: Vec<f64>,
    /// Largest ln of the mean e-process so far.
    best: f64,
    alarmed: bool,
    n: u64,
}

/// The e-process at which a detector warns.
pub const WARNING: f64 = 4.0;

impl Detector {
    /// At the start of a stream. Bets of 1/(1 − p0) or more are left out: they could lose everything.
    #[must_use]
    pub fn new(p0: f64, bets: &[f64], alarm_at: f64) -> Self {
        let bets: Vec<f64> =
            bets.iter().copied().filter(|bet| *bet > 0.0 && *bet * (1.0 - p0) < 1.0).collect();
        let k = bets.len();
        Self {
            p0,
            bets,
            alarm_at,
            sr: vec![f64::NEG_INFINITY; k],
            cusum: vec![f64::NEG_INFINITY; k],
            process: vec![0.0; k],
            best: 0.0,
            alarmed: false,
            n: 0,
        }
    }

    /// Reads one label.
    pub fn push(&mut self, agrees: bool) {
        let x = f64::from(u8::from(agrees));
        for (at, bet) in self.bets.iter().enumerate() {
            let step = (bet * (self.p0 - x)).ln_1p();
            self.sr[at] = log_add(self.sr[at], 0.0) + step;
            self.cusum[at] = self.cusum[at].max(0.0) + step;
            self.process[at] += step;
        }
        self.n += 1;
        self.best = self.best.max(log_mean(&self.process));
        self.alarmed |= log_mean(&self.sr) >= self.alarm_at.ln();
    }

    /// e-SR: the statistic that rings the alarm.
    #[must_use]
    pub fn e_sr(&self) -> f64 {
        log_mean(&self.sr).exp().min(f64::MAX)
    }

    /// e-CUSUM.
    #[must_use]
    pub fn e_cusum(&self) -> f64 {
        log_mean(&self.cusum).exp().min(f64::MAX)
    }

    /// Fixed-reference e-process.
    #[must_use]
    pub fn e_process(&self) -> f64 {
        log_mean(&self.process).exp().min(f64::MAX)
    }

    /// 1 over the largest e-process so far: a p value at any stopping time.
    #[must_use]
    pub fn p_running(&self) -> f64 {
        (-self.best).exp().min(1.0)
    }

    /// The alarm has rung, now or before.
    #[must_use]
    pub fn alarmed(&self) -> bool {
        self.alarmed
    }

    /// The e-process stands at [`WARNING`] or above.
    #[must_use]
    pub fn warned(&self) -> bool {
        log_mean(&self.process) >= WARNING.ln()
    }

    /// Labels read.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Everything a detector must remember, to be stored: three numbers a bet, and three more.
    #[must_use]
    pub fn state(&self) -> Vec<f64> {
        let head = [self.best, f64::from(u8::from(self.alarmed)), crate::real(self.n)];
        head.into_iter().chain(self.sr.iter().chain(&self.cusum).chain(&self.process).copied()).collect()
    }

    /// A detector as [`Self::state`] left it; a state of another length starts anew.
    #[must_use]
    pub fn from_state(p0: f64, bets: &[f64], alarm_at: f64, state: &[f64]) -> Self {
        let mut detector = Self::new(p0, bets, alarm_at);
        let k = detector.bets.len();
        if state.len() != 3 + 3 * k {
            return detector;
        }
        detector.best = state[0];
        detector.alarmed = state[1] > 0.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a stored count")]
        let n = state[2] as u64;
        detector.n = n;
        detector.sr = state[3..3 + k].to_vec();
        detector.cusum = state[3 + k..3 + 2 * k].to_vec();
        detector.process = state[3 + 2 * k..].to_vec();
        detector
    }
}

/// ln(eᵃ + eᵇ).
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

fn log_mean(logs: &[f64]) -> f64 {
    logs.iter().copied().fold(f64::NEG_INFINITY, log_add) - len(logs.len()).ln()
}

/// Bernoulli CUSUM for a fall of agreement from p0 to p1: S ← max(0, S + ln f1/f0) after each label, for display
/// (Page 1954). At ln c the average run length is at least c if p0 is known exactly (Lorden 1971).
#[must_use]
pub fn cusum(agreements: &[bool], p0: f64, p1: f64) -> Vec<f64> {
    let (agree, differ) = ((p1 / p0).ln(), ((1.0 - p1) / (1.0 - p0)).ln());
    let mut s = 0.0_f64;
    agreements
        .iter()
        .map(|agrees| {
            s = (s + if *agrees { agree } else { differ }).max(0.0);
            s
        })
        .collect()
}

/// Page and Hinkley's statistic for a rise of disagreement, after each label, for display: a sum of
/// (x − running mean − allowance) that forgets by the factor `keep` a label, less its least value so far.
#[must_use]
pub fn page_hinkley(agreements: &[bool], allowance: f64, keep: f64) -> Vec<f64> {
    let (mut seen, mut sum, mut least) = (0.0, 0.0_f64, 0.0_f64);
    agreements
        .iter()
        .enumerate()
        .map(|(at, agrees)| {
            let x = f64::from(u8::from(!*agrees));
            seen += x;
            sum = keep * sum + x - seen / len(at + 1) - allowance;
            least = least.min(sum);
            sum - least
        })
        .collect()
}

/// Alarm against an estimated baseline (Podkopaev and Ramdas 2022): the lower end of a confidence sequence of
/// the error since deployment (level `delta_now`) lies above the upper bound of the error before (`errors` of
/// `n`, Clopper-Pearson at `delta_before`) by more than `tolerance`. Rings falsely, ever, with probability at
/// most the sum of the two.
#[must_use]
pub fn worse_than_baseline(
    before: (u64, u64),
    now: (u64, u64),
    delta_before: f64,
    delta_now: f64,
    tolerance: f64,
) -> bool {
    let bound = crate::cp_upper(before.0, before.1, delta_before);
    // One-sided at delta_now: the two-sided sequence at twice that.
    let (low, _) = crate::confidence_sequence::beta_binomial(now.0, now.1, 2.0 * delta_now);
    low > bound + tolerance
}
