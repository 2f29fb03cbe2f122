//! `chancery backup`: a consistent copy of the data folder, while a server runs or not.

use anyhow::Result;
use directory::store::Store;
use directory::transfer::backup::backup;

use crate::arguments::{Backup, Common};
use crate::commands::progress::Progress;
use crate::failure::{DONE, failed};
use crate::opening;

pub(crate) fn run(common: &Common, arguments: &Backup) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let mut options = opening::settings(&config)?.store;
    options.read_only = true;
    let store = Store::open(&config.data, &options).map_err(failed)?;
    let progress = Progress::new();
    let bytes = backup(&store, &arguments.folder).map_err(failed)?;
    if common.json {
        println!("{}", serde_json::json!({ "bytes": bytes, "folder": arguments.folder }));
    } else {
        println!(
            "backed up {} MiB to {} in {:.1} s, verified; it holds keys and password hashes, keep it safe",
            bytes.div_ceil(1 << 20),
            arguments.folder.display(),
            progress.elapsed().as_secs_f64()
        );
    }
    Ok(DONE)
}
