//! What LLaMA-Factory and Axolotl want to be told of the files, ready to use.

use crate::folder::file_name;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// LLaMA-Factory's list of data sets.
pub const DATASET_INFO: &str = "dataset_info.json";
/// Axolotl's part of a configuration.
pub const AXOLOTL: &str = "axolotl.yaml";

/// `dataset_info.json`: `concord_train` and, where rows are held out, `concord_eval`.
///
/// # Errors
/// Text that is no JSON, which none is.
pub fn dataset_info(target: &str, format: &str, held_out: bool) -> serde_json::Result<String> {
    let sharegpt = |more: Value| {
        let mut columns = json!({"messages": "conversations", "system": "system"});
        if let (Some(columns), Value::Object(more)) = (columns.as_object_mut(), more) {
            columns.extend(more);
        }
        json!({"formatting": "sharegpt", "columns": columns})
    };
    let entry = match target {
        "sft_chat" => sharegpt(json!({})),
        "kto" => sharegpt(json!({"kto_tag": "kto_tag"})),
        "preference" | "reward" => {
            let mut entry = sharegpt(json!({"chosen": "chosen", "rejected": "rejected"}));
            entry["ranking"] = true.into();
            entry
        }
        _ => json!({"formatting": "alpaca", "columns": {
            "system": "system", "prompt": "instruction", "query": "input", "response": "output"}}),
    };
    let mut info = Map::new();
    for (part, name) in [(false, "concord_train"), (true, "concord_eval")] {
        if part && !held_out {
            continue;
        }
        let mut entry = entry.clone();
        entry["file_name"] = file_name("llama_factory", part, format).into();
        info.insert(name.into(), entry);
    }
    Ok(serde_json::to_string_pretty(&info)? + "\n")
}

/// Axolotl's stanza: what the run is, and its data sets.
#[must_use]
pub fn axolotl(target: &str, format: &str, held_out: bool) -> String {
    let kind = match target {
        "preference" => "rl: dpo\n",
        "kto" => "rl: kto\nremove_unused_columns: false\n",
        "reward" => "reward_model: true\n",
        _ => "",
    };
    let entry = match target {
        "preference" => {
            "type: chat_template.default\n    field_messages: messages\n    field_chosen: chosen\n    field_rejected: rejected\n"
        }
        "kto" => {
            "type:\n      field_system: system\n      field_prompt: prompt\n      field_completion: completion\n      field_label: label\n      prompt_format: \"{system}\\n\\n{prompt}\"\n      completion_format: \"{completion}\"\n"
        }
        "reward" => "type: bradley_terry.chat_template\n",
        _ => "type: chat_template\n    field_messages: messages\n    roles_to_train: [\"assistant\"]\n",
    };
    let loader = if format == "parquet" { "parquet" } else { "json" };
    let mut text =
        String::from("# Give paths as seen from where Axolotl runs; base_model and the rest are yours.\n");
    text.push_str(kind);
    for (part, list) in [(false, "datasets"), (true, "test_datasets")] {
        if part && !held_out {
            continue;
        }
        let file = file_name("axolotl", part, format);
        let _ = write!(
            text,
            "{list}:\n  - path: {file}\n    ds_type: {loader}\n    data_files: [\"{file}\"]\n    split: train\n    {entry}"
        );
    }
    text
}
