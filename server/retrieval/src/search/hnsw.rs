//! Approximate search over a navigable graph (HNSW), for catalogues whose scan takes too long.

use super::{ExactIndex, Hit, VectorSearch, before, dot};
use instant_distance::{Builder, Heuristic, HnswMap, Point, Search};
use std::collections::HashSet;
use std::sync::Arc;

/// How the graph is built and searched; a point has 32 links, twice as many on the ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HnswSettings {
    /// Candidates kept while building.
    pub build: usize,
    /// Candidates kept while searching.
    pub search: usize,
    /// Seed of the points' layers.
    pub seed: u64,
}

impl Default for HnswSettings {
    fn default() -> Self {
        Self { build: 128, search: 384, seed: 1 }
    }
}

/// A vector, zeros behind it; nearer is a larger inner product. It stands in the graph itself: a vector elsewhere would
/// be one more wait for memory at every step, two fifths of a search at 200,000 vectors.
#[derive(Clone)]
#[repr(align(64))]
struct Row<const N: usize>([f32; N]);

impl<const N: usize> Row<N> {
    fn of(vector: &[f32]) -> Self {
        let mut row = [0.0; N];
        row[..vector.len()].copy_from_slice(vector);
        Self(row)
    }
}

impl<const N: usize> Point for Row<N> {
    fn distance(&self, other: &Self) -> f32 {
        1.0 - dot(&self.0, &other.0)
    }
}

/// A graph whose rows are of some length.
trait Graph: Send + Sync {
    /// The candidates of a query, best first.
    fn candidates(&self, query: &[f32]) -> Vec<Hit>;
}

impl<const N: usize> Graph for HnswMap<Row<N>, i64> {
    fn candidates(&self, query: &[f32]) -> Vec<Hit> {
        let mut search = Search::default();
        let found = self.search(&Row::of(query), &mut search);
        found.map(|it| Hit { item: *it.value, score: 1.0 - it.distance }).collect()
    }
}

/// A graph over vectors of one length, and the scan for what it cannot answer.
pub struct HnswIndex {
    /// None of vectors longer than 1024, which towers do not give: they are scanned.
    graph: Option<Box<dyn Graph>>,
    scan: Arc<ExactIndex>,
    settings: HnswSettings,
}

impl std::fmt::Debug for HnswIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HnswIndex").field("size", &self.scan.len()).field("settings", &self.settings).finish()
    }
}

impl HnswIndex {
    /// Builds the graph over these vectors, on all processors.
    #[must_use]
    pub fn over(scan: Arc<ExactIndex>, settings: HnswSettings) -> Self {
        let graph = match scan.width().next_power_of_two() {
            0..=32 => Some(build::<32>(&scan, settings)),
            64 => Some(build::<64>(&scan, settings)),
            128 => Some(build::<128>(&scan, settings)),
            256 => Some(build::<256>(&scan, settings)),
            512 => Some(build::<512>(&scan, settings)),
            1024 => Some(build::<1024>(&scan, settings)),
            _ => None,
        };
        Self { graph, scan, settings }
    }
}

fn build<const N: usize>(scan: &ExactIndex, settings: HnswSettings) -> Box<dyn Graph> {
    // Links that the heuristic prunes stay out: kept as filler, they double the work of a search and treble a build.
    let heuristic = Heuristic { extend_candidates: false, keep_pruned: false };
    let builder = Builder::default().ef_construction(settings.build).ef_search(settings.search);
    let (ids, rows) = scan.rows().map(|(id, row)| (id, Row::<N>::of(row))).unzip();
    Box::new(builder.seed(settings.seed).select_heuristic(Some(heuristic)).build(rows, ids))
}

impl VectorSearch for HnswIndex {
    fn nearest(&self, query: &[f32], k: usize, without: &HashSet<i64>) -> Vec<Hit> {
        if query.len() != self.width() || self.scan.is_empty() || k == 0 {
            return Vec::new();
        }
        let found = self.graph.as_ref().map(|graph| graph.candidates(query)).unwrap_or_default();
        let hits = found.into_iter().filter(|hit| !without.contains(&hit.item));
        let mut hits: Vec<Hit> = hits.take(k).collect();
        // What the graph found was left out: somebody who has met most of what is near is rare, and scanned for.
        if hits.len() < k.min(self.scan.len()) {
            return self.scan.nearest(query, k, without);
        }
        hits.sort_by(
            |a, b| if before(a, b) { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater },
        );
        hits
    }

    fn size(&self) -> usize {
        self.scan.len()
    }

    fn width(&self) -> usize {
        self.scan.width()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn unit(dim: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let values: Vec<f32> = (0..dim).map(|_| rng.random_range(-1.0..1.0)).collect();
        let length = dot(&values, &values).sqrt();
        values.into_iter().map(|value| value / length).collect()
    }

    #[test]
    fn it_finds_nearly_what_the_scan_finds_and_leaves_out_what_it_is_told() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (dim, count) = (16, 3000);
        let rows: Vec<Vec<f32>> = (0..count).map(|_| unit(dim, &mut rng)).collect();
        let ids: Vec<i64> = (0..count).map(|it| it * 10).collect();
        let exact = Arc::new(ExactIndex::of(dim, ids, rows.concat()).expect("vectors"));
        let graph = HnswIndex::over(Arc::clone(&exact), HnswSettings::default());
        assert_eq!((graph.size(), graph.width()), (3000, dim));
        let (mut found, mut wanted) = (0, 0);
        for _ in 0..30 {
            // Twice as long: scores scale, the order stays.
            let query: Vec<f32> = unit(dim, &mut rng).iter().map(|value| value * 2.0).collect();
            let none = HashSet::new();
            let right = exact.nearest(&query, 20, &none);
            let near = graph.nearest(&query, 20, &none);
            assert!((near[0].score - right[0].score).abs() < 1e-5);
            let items: HashSet<i64> = near.iter().map(|hit| hit.item).collect();
            wanted += right.len();
            found += right.iter().filter(|hit| items.contains(&hit.item)).count();
            let without: HashSet<i64> = right.iter().map(|hit| hit.item).collect();
            let others = graph.nearest(&query, 20, &without);
            assert!(others.len() == 20 && others.iter().all(|hit| !without.contains(&hit.item)));
            let nearly_all: HashSet<i64> = (0..count - 5).map(|it| it * 10).collect();
            assert_eq!(graph.nearest(&query, 20, &nearly_all).len(), 5);
        }
        assert!(found * 100 >= wanted * 95, "{found} of {wanted}");
    }

    #[test]
    fn vectors_of_any_width_are_found_those_too_long_for_a_row_by_the_scan() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for (dim, in_graph) in [(1, true), (33, true), (1000, true), (1025, false)] {
            let rows: Vec<Vec<f32>> = (0..60).map(|_| unit(dim, &mut rng)).collect();
            let exact = Arc::new(ExactIndex::of(dim, (0..60).collect(), rows.concat()).expect("vectors"));
            let graph = HnswIndex::over(Arc::clone(&exact), HnswSettings::default());
            assert_eq!((graph.width(), graph.graph.is_some()), (dim, in_graph));
            let query = unit(dim, &mut rng);
            let (near, right) =
                (graph.nearest(&query, 10, &HashSet::new()), exact.nearest(&query, 10, &HashSet::new()));
            assert_eq!(near.len(), 10);
            assert!((near[0].score - right[0].score).abs() < 1e-5, "width {dim}");
        }
    }

    #[test]
    fn an_empty_graph_and_a_query_of_another_width_find_nothing() {
        let graph = HnswIndex::over(Arc::new(ExactIndex::new(4)), HnswSettings::default());
        assert!(graph.nearest(&[1.0; 4], 3, &HashSet::new()).is_empty());
        assert!(graph.nearest(&[1.0; 3], 3, &HashSet::new()).is_empty());
        assert!(ExactIndex::of(4, vec![1], vec![0.0; 3]).is_err());
    }
}
