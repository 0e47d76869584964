//! What counting a request costs: nanoseconds, with one thread and with four that count the same route.

use concord_server::metrics::Metrics;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TIMES: u32 = 500_000;

fn main() {
    let metrics = Arc::new(Metrics::new());
    for threads in [1, 4] {
        let began = Instant::now();
        let counting: Vec<_> = (0..threads)
            .map(|_| {
                let metrics = Arc::clone(&metrics);
                std::thread::spawn(move || {
                    for n in 0..TIMES {
                        metrics.answered(
                            "default",
                            "POST",
                            "/api/v1/queue/next",
                            200,
                            Duration::from_micros(u64::from(n % 5000)),
                        );
                    }
                })
            })
            .collect();
        for it in counting {
            it.join().expect("a thread that counts does not panic");
        }
        let each = began.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES * threads);
        println!("{threads} threads: {each:.0} ns a request");
    }
}
