//! `chancery doctor --from-config FILE`: what an application really uses.

use std::path::Path;

use anyhow::Result;
use client::{Secret, Target, Trust};
use time::OffsetDateTime;

use super::{asked, bounded, name_servers, runtime, trust, trust_in, wrong};
use crate::arguments::Doctor;
use crate::doctor::application::Trying;
use crate::doctor::configs::{self, Kind, SERVERS_MAX, Setting, Use, stores};
use crate::doctor::facts::Trusted;
use crate::doctor::outcome::{Outcome, Seen, What};
use crate::doctor::probe::Asked;
use crate::doctor::resolving;
use crate::doctor::rules::Finding;
use crate::failure::usage;
use crate::password::PasswordFrom;

pub(super) fn look(doctor: &Doctor, file: &Path, now: OffsetDateTime) -> Result<Outcome> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = text(file)?;
    let kind = doctor.modes.kind.or_else(|| Kind::guess(&name, &text)).ok_or_else(|| {
        wrong(file, &"whose file this is cannot be told: say --kind ldap, sssd, apache or java")
    })?;
    let written = configs::parse(kind, &name, &text);
    if !written.faults.is_empty() {
        return Err(usage(written.faults.join("\n")));
    }
    let mut plan = Plan::new(doctor, file, now)?;
    for one in written.uses {
        plan.add(one)?;
    }
    let servers = name_servers(&doctor.name_server)?;
    let found = runtime()?.block_on(resolving::all(plan.asked, servers.as_ref()))?;
    let seen = found.into_iter().zip(plan.before).map(|(facts, before)| {
        let mut seen = Seen::judged(facts, now);
        seen.findings.extend(before);
        // What the application is told to do comes before what came of it.
        seen.findings.sort_by_key(|one| (one.severity, !is_of_config(one)));
        seen
    });
    let seen = seen.collect();
    let used = plan.used;
    Ok(Outcome { what: What::Config { file: name, used }, seen, findings: plan.apart })
}

fn is_of_config(finding: &Finding) -> bool {
    finding.layer == crate::doctor::rules::Layer::Config
}

fn text(file: &Path) -> Result<String> {
    let read = bounded(file, "give the application's file")?;
    if read.len() as u64 > configs::BYTES_MAX {
        return Err(wrong(file, &"it is larger than 1 MiB: give the application's file"));
    }
    String::from_utf8(read).map_err(|_| wrong(file, &"this is no text in UTF-8"))
}

/// What is to be looked at, and what is to be said before that.
struct Plan<'d> {
    doctor: &'d Doctor,
    beside: std::path::PathBuf,
    now: OffsetDateTime,
    store_password: Option<zeroize::Zeroizing<String>>,
    /// A password is tried once in a run, whatever the number of servers.
    may_sign_in: bool,
    asked: Vec<Asked>,
    before: Vec<Vec<Finding>>,
    /// Of uses without any server that could be looked at.
    apart: Vec<Finding>,
    used: Vec<String>,
}

impl<'d> Plan<'d> {
    fn new(doctor: &'d Doctor, file: &Path, now: OffsetDateTime) -> Result<Plan<'d>> {
        let store_password = match &doctor.modes.store_password_file {
            None => None,
            Some(file) => {
                let from =
                    PasswordFrom { password_file: Some(file.clone()), ..PasswordFrom::default() };
                Some(from.require("password of the trust store")?)
            }
        };
        Ok(Plan {
            doctor,
            beside: file.parent().unwrap_or(Path::new("")).to_owned(),
            now,
            store_password,
            may_sign_in: true,
            asked: Vec::new(),
            before: Vec::new(),
            apart: Vec::new(),
            used: Vec::new(),
        })
    }

    fn add(&mut self, one: Use) -> Result<()> {
        self.used.extend(one.used.iter().map(Setting::told));
        let password = self.store_password.as_ref().map(|text| text.as_str());
        let stocked = stores::read(&one.stores, &self.beside, password);
        let mut findings = one.findings.clone();
        findings.extend(stocked.findings);
        if one.targets.is_empty() {
            self.apart.extend(findings);
            return Ok(());
        }
        let store = one.stores.first();
        let (trust, trusted) = match (stocked.certificates.is_empty(), store) {
            (false, Some(store)) => {
                let (configs::Store::File(setting) | configs::Store::Folder(setting)) = store;
                trust_in(stocked.certificates, &self.beside.join(&setting.value))?
            }
            _ => trust(None)?,
        };
        let room = SERVERS_MAX.saturating_sub(self.asked.len());
        let more = one.targets.len().saturating_sub(room);
        if let Some((setting, _)) = one.targets.get(room) {
            self.apart.push(configs::left_out(setting, more));
        }
        for (place, (setting, target)) in one.targets.iter().take(room).enumerate() {
            let trying = if place == 0 { self.trying(&one)? } else { None };
            let with = (trust.clone(), trusted.clone());
            self.asked.push(self.asked(setting, target, with, trying)?);
            // Once is enough.
            self.before.push(std::mem::take(&mut findings));
        }
        Ok(())
    }

    fn asked(
        &self,
        setting: &Setting,
        target: &Target,
        with: (Trust, Trusted),
        trying: Option<Trying>,
    ) -> Result<Asked> {
        let asked = asked(self.doctor, &setting.value, target.clone(), with, self.now)?;
        let text = match setting.value.contains("://") && !setting.value.contains(' ') {
            true => setting.value.clone(),
            false => format!("{}:{}", target.name, target.port),
        };
        Ok(Asked { text, trying, ..asked })
    }

    /// The sign-in and the search of the application. Its own password is not looked for.
    fn trying(&mut self, one: &Use) -> Result<Option<Trying>> {
        let who = self.doctor.sign_in.as_ref().or(one.sign_in.as_ref());
        let from = &self.doctor.password;
        let is_given = from.password_file.is_some() || from.password_fd.is_some();
        let sign_in = match who {
            Some(name) if is_given && std::mem::take(&mut self.may_sign_in) => {
                let password = from.require(&format!("password of {name}"))?;
                Some((name.clone(), Secret::new(password.as_bytes())))
            }
            _ => None,
        };
        let base = self.doctor.base.as_ref().or(one.base.as_ref());
        let filter = self.doctor.filter.as_ref().or(one.filter.as_ref());
        // As nobody only where the application does so: elsewhere a "no" says nothing.
        let may_search = sign_in.is_some() || (one.is_anonymous && self.doctor.sign_in.is_none());
        let search = base.filter(|_| may_search).map(|base| {
            (base.clone(), filter.cloned().unwrap_or_else(|| "(objectClass=*)".to_owned()))
        });
        Ok((sign_in.is_some() || search.is_some()).then_some(Trying { sign_in, search }))
    }
}
