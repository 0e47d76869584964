//! The rubrics Concord ships with, embedded; the database holds the versions in use.

use crate::PipelineError;
use concord_domain::Rubric;

const FILES: [(&str, &str); 3] = [
    ("rubrics/interest.toml", include_str!("../../../models/rubrics/interest.toml")),
    ("rubrics/tag.toml", include_str!("../../../models/rubrics/tag.toml")),
    ("rubrics/explanation.toml", include_str!("../../../models/rubrics/explanation.toml")),
];

/// Every shipped rubric.
///
/// # Errors
/// [`PipelineError::BadFile`] if one does not parse or a criterion lacks a passing or failing label.
pub fn shipped() -> Result<Vec<Rubric>, PipelineError> {
    FILES.iter().map(|(file, text)| read(file, text)).collect()
}

fn read(file: &'static str, text: &str) -> Result<Rubric, PipelineError> {
    let bad = |why: String| PipelineError::BadFile { file, why };
    let rubric: Rubric = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
    for criterion in &rubric.criteria {
        if criterion.first_label(true).is_none() || criterion.first_label(false).is_none() {
            return Err(bad(format!("criterion {} needs a passing and a failing label", criterion.name)));
        }
    }
    Ok(rubric)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_shipped_rubric_has_both_languages_and_both_answers() {
        let rubrics = super::shipped().unwrap();
        assert_eq!(rubrics.iter().map(|r| r.task.as_str()).collect::<Vec<_>>(), concord_domain::TASKS);
        for criterion in rubrics.iter().flat_map(|r| &r.criteria) {
            for text in [&criterion.title, &criterion.question, &criterion.pass, &criterion.fail] {
                assert!(!text.get("en").is_empty() && text.get("en") != text.get("zh"), "{}", criterion.name);
            }
        }
        assert_eq!(rubrics[0].criteria.iter().map(|c| c.labels.len()).sum::<usize>(), 6);
    }
}
