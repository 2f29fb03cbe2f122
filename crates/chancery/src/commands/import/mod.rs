//! `chancery import`: LDIF into an empty folder at disk speed, or as changes into a directory that
//! holds something, whether a server runs on it or not.

mod door;
mod online;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use directory::store::{OpenError, Store};
use directory::transfer::load::{LoadError, LoadOptions, Loaded, Passwords, load};
use directory::transfer::{Progress as Step, Rejected};

use crate::arguments::{Common, Import};
use crate::commands::progress::Progress;
use crate::config::Config;
use crate::failure::{DONE, FINDINGS, failed};
use crate::opening;

pub(crate) fn run(common: &Common, import: &Import) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let mut rejects = Rejects::open(import)?;
    let mut progress = Progress::new();
    let settings = opening::settings(&config)?;
    let loaded = match open_store(&config, &settings.store) {
        Err(OpenError::Locked { .. }) => {
            let mut door = door::Served::connect(&config.data)?;
            online::run(&mut door, source(&import.file)?, &mut rejects, &mut progress)?
        }
        Err(error) => return Err(failed(error)),
        Ok(store) if holds_entries(&store)? => {
            drop(store);
            let directory = opening::directory(&config)?;
            let mut door = door::Opened::new(directory);
            online::run(&mut door, source(&import.file)?, &mut rejects, &mut progress)?
        }
        Ok(store) => offline(store, settings, import, &mut rejects, &mut progress)?,
    };
    progress.clear();
    rejects.finish()?;
    print(common, &loaded, progress.elapsed().as_secs_f64(), import);
    Ok(if loaded.rejected > 0 { FINDINGS } else { DONE })
}

fn open_store(
    config: &Config,
    options: &directory::store::StoreOptions,
) -> Result<Store, OpenError> {
    match Store::open(&config.data, options) {
        Err(OpenError::Missing { .. }) => Store::create(&config.data, options),
        opened => opened,
    }
}

fn holds_entries(store: &Store) -> Result<bool> {
    let snapshot = store.snapshot().map_err(failed)?;
    Ok(snapshot.reader().entry_count().map_err(failed)? > 0)
}

fn source(path: &Path) -> Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path)
        .map_err(|error| failed(format!("cannot open {}: {error}", path.display())))?;
    Ok(Box::new(file))
}

fn offline(
    store: Store,
    settings: directory::Settings,
    import: &Import,
    rejects: &mut Rejects,
    progress: &mut Progress,
) -> Result<Loaded> {
    let passwords = match import.passwords.as_str() {
        "refuse" => Passwords::Refuse,
        "hash" => Passwords::Hash,
        _ => Passwords::Few,
    };
    let keep_going = import.rejects.is_some();
    let options = LoadOptions { passwords, keep_going, file_urls: true, ..LoadOptions::default() };
    let mut failure = None;
    let mut show = |step: Step| {
        progress
            .show(|| format!("{}: {} entries, {} MiB", step.phase, step.entries, step.bytes >> 20));
    };
    let loaded = load(
        store,
        settings,
        &options,
        source(&import.file)?,
        &mut |rejected| {
            if let Err(error) = rejects.write(rejected) {
                failure.get_or_insert(error);
            }
        },
        &mut show,
    );
    if let Some(error) = failure {
        return Err(error);
    }
    loaded.map_err(|error| match error {
        LoadError::Rejected(rejected) => failed(advice(&rejected)),
        other => failed(other),
    })
}

/// What is wrong, and that nothing has happened.
fn advice(rejected: &Rejected) -> String {
    format!(
        "{rejected}\nnothing was imported; mend the file, or use --continue REJECTS to import the rest"
    )
}

fn print(common: &Common, loaded: &Loaded, seconds: f64, import: &Import) {
    if common.json {
        let Loaded { entries, rejected, loose } = *loaded;
        println!(
            "{}",
            serde_json::json!({ "entries": entries, "rejected": rejected, "loose": loose })
        );
        return;
    }
    let rate = loaded.entries as f64 / seconds.max(0.001);
    println!("imported {} records in {seconds:.1} s ({rate:.0}/s)", loaded.entries);
    if loaded.loose > 0 {
        println!("{} values name entries that do not exist (yet)", loaded.loose);
    }
    if let (true, Some(path)) = (loaded.rejected > 0, &import.rejects) {
        println!(
            "{} records were refused; they are in {} with the reasons",
            loaded.rejected,
            path.display()
        );
    }
}

/// Where refused records go.
pub(super) struct Rejects {
    file: Option<BufWriter<File>>,
}

impl Rejects {
    fn open(import: &Import) -> Result<Rejects> {
        let Some(path) = &import.rejects else { return Ok(Rejects { file: None }) };
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Rejects { file: Some(BufWriter::new(file)) })
    }

    pub(super) fn keeps_going(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn write(&mut self, rejected: &Rejected) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(&rejected.to_ldif()).context("cannot write the rejects")?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        match &mut self.file {
            Some(file) => file.flush().context("cannot write the rejects"),
            None => Ok(()),
        }
    }
}
