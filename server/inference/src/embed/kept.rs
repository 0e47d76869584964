//! Vectors of texts that were embedded before, by a hash of the text: a tag that many shoppers get is embedded once.

use std::collections::HashMap;

use concord_domain::ports::{EmbedKind, ModelError};
use sha2::{Digest, Sha256};

/// Vectors of one generation; two are kept. 384 floats each make 60 MB at most.
const GENERATION: usize = 20_000;

type Key = [u8; 32];

/// Vectors by content hash. What has not been asked for during a whole generation is forgotten.
#[derive(Default)]
pub(super) struct Kept {
    fresh: HashMap<Key, Vec<f32>>,
    old: HashMap<Key, Vec<f32>>,
}

/// What is known of a request's texts.
pub(super) struct Answer {
    keys: Vec<Key>,
    vectors: HashMap<Key, Vec<f32>>,
    missing: Vec<usize>,
}

impl Kept {
    /// Looks texts up; equal ones are missing once.
    pub(super) fn look(&mut self, kind: EmbedKind, texts: &[String]) -> Answer {
        let keys: Vec<Key> = texts.iter().map(|text| key(kind, text)).collect();
        let mut vectors: HashMap<Key, Vec<f32>> = HashMap::new();
        let mut missing = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            if vectors.contains_key(key) {
                continue;
            }
            match self.find(key) {
                Some(vector) => drop(vectors.insert(*key, vector)),
                None => {
                    missing.push(place);
                    vectors.insert(*key, Vec::new());
                }
            }
        }
        Answer { keys, vectors, missing }
    }

    fn find(&mut self, key: &Key) -> Option<Vec<f32>> {
        if let Some(vector) = self.fresh.get(key) {
            return Some(vector.clone());
        }
        let vector = self.old.remove(key)?;
        self.insert(*key, vector.clone());
        Some(vector)
    }

    fn insert(&mut self, key: Key, vector: Vec<f32>) {
        if self.fresh.len() >= GENERATION {
            self.old = std::mem::take(&mut self.fresh);
        }
        self.fresh.insert(key, vector);
    }

    /// Keeps new vectors, those of the texts at these places.
    pub(super) fn put(&mut self, answer: &mut Answer, places: &[usize], vectors: Vec<Vec<f32>>) {
        for (place, vector) in places.iter().zip(vectors) {
            let key = answer.keys[*place];
            self.insert(key, vector.clone());
            answer.vectors.insert(key, vector);
        }
    }
}

impl Answer {
    /// Places of texts that nobody has embedded yet.
    pub(super) fn missing(&self) -> Vec<usize> {
        self.missing.clone()
    }

    /// One vector a text, in order.
    pub(super) fn vectors(self) -> Result<Vec<Vec<f32>>, ModelError> {
        let vectors = self.keys.iter().map(|key| self.vectors.get(key).filter(|it| !it.is_empty()).cloned());
        let vectors: Option<Vec<_>> = vectors.collect();
        vectors.ok_or_else(|| ModelError::Failed("the model gave fewer vectors than texts".to_owned()))
    }
}

fn key(kind: EmbedKind, text: &str) -> Key {
    let kind: &[u8] = if kind == EmbedKind::Query { b"query\0" } else { b"passage\0" };
    Sha256::new().chain_update(kind).chain_update(text).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_missing_once_and_known_afterwards_for_its_kind() {
        let mut kept = Kept::default();
        let texts = ["tent", "lamp", "tent"].map(str::to_owned);
        let mut answer = kept.look(EmbedKind::Query, &texts);
        assert_eq!(answer.missing(), [0, 1]);
        kept.put(&mut answer, &[0, 1], vec![vec![1.0], vec![2.0]]);
        assert_eq!(answer.vectors().unwrap(), [[1.0], [2.0], [1.0]]);
        assert!(kept.look(EmbedKind::Query, &texts).missing().is_empty());
        assert_eq!(kept.look(EmbedKind::Passage, &texts).missing(), [0, 1]);
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let mut kept = Kept::default();
        for number in 0..5 * GENERATION {
            let texts = [number.to_string()];
            let mut answer = kept.look(EmbedKind::Query, &texts);
            kept.put(&mut answer, &[0], vec![vec![0.5]]);
            assert!(kept.look(EmbedKind::Query, &["0".to_owned()]).missing().is_empty());
        }
        assert!(kept.fresh.len() + kept.old.len() <= 2 * GENERATION);
    }
}
