//! The rubric pages: versions, one version in every language, the editor with what publishing would do, and two
//! versions line by line. Documents.

mod edit;
mod view;

pub use edit::{Edited, edit};
pub use view::{diff, list, view};

/// What a task that has none starts from.
pub const TEMPLATE: &str = r#"task = "my_task"
version = "1.0"
name = { en = "My task", zh = "我的任务" }

[[criteria]]
name = "relevance"
title = { en = "Relevance", zh = "相关性" }
question = { en = "Is it relevant?", zh = "是否相关？" }
pass = { en = "What passes.", zh = "通过的情形。" }
fail = { en = "What does not.", zh = "不通过的情形。" }

[[criteria.labels]]
name = "pass"
pass = true
title = { en = "Pass", zh = "通过" }

[[criteria.labels]]
name = "fail"
pass = false
title = { en = "Fail", zh = "不通过" }
"#;
