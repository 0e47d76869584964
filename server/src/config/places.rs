//! Defaults that depend on where the program runs and on the machine.

use std::fs;
use std::path::PathBuf;

/// Machines with less memory than this get the small language model: the larger one needs 4.3 GB at its peak.
const SMALL_MACHINE_KIB: u64 = 8 * 1024 * 1024;

/// The folder with `catalogue.toml`: here, beside the program, or in the source tree it was built in.
pub(super) fn models() -> String {
    find(&["models"], "catalogue.toml")
}

/// The browser's half: as built in the source tree, or beside the program.
pub(super) fn site() -> String {
    find(&["target/site", "site"], "pkg")
}

/// The language model this machine has memory for.
pub(super) fn language_model() -> &'static str {
    match memory_kib() {
        Some(memory) if memory < SMALL_MACHINE_KIB => "qwen2.5-coder-0.5b",
        _ => "qwen2.5-coder-1.5b",
    }
}

/// The first of these folders that holds `mark`, below the working folder, the program's folder or
/// (for `target/release/concord`) the source tree's; the first one here if none does.
fn find(folders: &[&str], mark: &str) -> String {
    let program = std::env::current_exe().ok();
    let bases = [
        Some(PathBuf::new()),
        program.as_ref().and_then(|path| path.ancestors().nth(1)).map(PathBuf::from),
        program.as_ref().and_then(|path| path.ancestors().nth(3)).map(PathBuf::from),
    ];
    let found = bases
        .iter()
        .flatten()
        .flat_map(|base| folders.iter().map(|folder| base.join(folder)))
        .find(|folder| folder.join(mark).exists());
    found.unwrap_or_else(|| PathBuf::from(folders[0])).display().to_string()
}

/// The machine's memory, or the control group's share of it where that is less.
fn memory_kib() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok()?;
    let total = machine.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total: u64 = total.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    let share = fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok())
        .map_or(total, |bytes| bytes / 1024);
    Some(total.min(share))
}
