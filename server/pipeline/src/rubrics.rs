//! The rubrics Concord ships with, embedded; the database holds the versions in use.

use crate::PipelineError;
use concord_domain::Rubric;

/// The first of a task is the current one in a new database.
const FILES: [(&str, &str); 4] = [
    ("rubrics/interest.toml", include_str!("../../../models/rubrics/interest.toml")),
    ("rubrics/tag.toml", include_str!("../../../models/rubrics/tag.toml")),
    ("rubrics/explanation.toml", include_str!("../../../models/rubrics/explanation.toml")),
    ("rubrics/explanation-v2.toml", include_str!("../../../models/rubrics/explanation-v2.toml")),
];

/// Every shipped rubric.
///
/// # Errors
/// [`PipelineError::BadFile`] if one does not parse or [`Rubric::check`] refuses it.
pub fn shipped() -> Result<Vec<Rubric>, PipelineError> {
    FILES.iter().map(|(file, text)| read(file, text)).collect()
}

fn read(file: &'static str, text: &str) -> Result<Rubric, PipelineError> {
    let bad = |why: String| PipelineError::BadFile { file, why };
    let rubric: Rubric = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
    rubric.check().map_err(|error| bad(error.to_string()))?;
    Ok(rubric)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_shipped_rubric_has_both_languages_and_both_answers() {
        let rubrics = super::shipped().unwrap();
        assert_eq!(rubrics[..3].iter().map(|r| r.task.as_str()).collect::<Vec<_>>(), concord_domain::TASKS);
        assert_eq!((rubrics[3].task.as_str(), rubrics[3].criteria.len()), ("explanation", 7));
        for criterion in rubrics.iter().flat_map(|r| &r.criteria) {
            for text in [&criterion.title, &criterion.question, &criterion.pass, &criterion.fail] {
                assert!(!text.get("en").is_empty() && text.get("en") != text.get("zh"), "{}", criterion.name);
            }
        }
        assert_eq!(rubrics[0].criteria.iter().map(|c| c.labels.len()).sum::<usize>(), 6);
    }
}
