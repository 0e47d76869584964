//! Searches vectors of a file by graph and by scan, for `make bench retrieve`: times go to stdout as JSON, what the
//! graph finds to a file of little-endian 32-bit places, which the bench compares with other libraries.
//!
//! `search VECTORS QUERIES WIDTH K FOUND`

use concord_retrieval::{ExactIndex, HnswIndex, HnswSettings, VectorSearch};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

fn floats(path: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("a file of floats");
    bytes.as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it)).collect()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [vectors, queries, width, k, found] = &args[..] else { panic!("VECTORS QUERIES WIDTH K FOUND") };
    let (width, k): (usize, usize) = (width.parse().expect("a width"), k.parse().expect("a k"));
    let (vectors, queries) = (floats(vectors), floats(queries));
    let ids: Vec<i64> = (0..).take(vectors.len() / width).collect();
    let none = HashSet::new();
    let began = Instant::now();
    let exact = Arc::new(ExactIndex::of(width, ids, vectors).expect("vectors of that width"));
    let graph = HnswIndex::over(Arc::clone(&exact), HnswSettings::default());
    let built = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let mut places = Vec::new();
    for query in queries.chunks_exact(width) {
        let hits = graph.nearest(query, k, &none);
        places.extend(hits.iter().flat_map(|hit| u32::try_from(hit.item).unwrap_or(u32::MAX).to_le_bytes()));
    }
    let searched = began.elapsed().as_secs_f64();
    std::fs::write(found, places).expect("written");
    let few: Vec<&[f32]> = queries.chunks_exact(width).take(50).collect();
    let began = Instant::now();
    few.iter().for_each(|query| assert_eq!(exact.nearest(query, k, &none).len(), k.min(exact.len())));
    let scanned = began.elapsed().as_secs_f64();
    let count = queries.chunks_exact(width).len();
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let (graph_rate, scan_rate) = (count as f64 / searched, few.len() as f64 / scanned);
    println!(
        "{{\"build_seconds\":{built},\"hnsw_per_second\":{graph_rate},\"exact_per_second\":{scan_rate}}}"
    );
}
