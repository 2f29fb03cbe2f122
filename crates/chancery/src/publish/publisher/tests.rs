//! The state machine, on listeners that only pretend.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};

use tempfile::TempDir;

use super::*;
use crate::alerts::Watches;
use crate::config::{Config, Overrides};
use crate::publish::publication::Switch;
use crate::steward::publish::switched;

type Pause = (Sender<()>, Receiver<()>);

/// Addresses that are taken; those in `broken` cannot be had.
#[derive(Clone, Default)]
struct MockListeners {
    open: Arc<Mutex<BTreeSet<SocketAddr>>>,
    broken: Arc<Mutex<BTreeSet<SocketAddr>>>,
    /// Told of each attempt, and waited for, where a test wants to see the middle of a change.
    pause: Arc<Mutex<Option<Pause>>>,
}

impl MockListeners {
    fn addresses(&self) -> Vec<String> {
        self.open.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

impl Opens for MockListeners {
    fn open(&self, address: SocketAddr, _gate: Arc<Gate>) -> Result<Close, StartError> {
        if let Some((tell, wait)) = &*self.pause.lock().unwrap() {
            tell.send(()).unwrap();
            wait.recv().unwrap();
        }
        if self.broken.lock().unwrap().contains(&address) {
            return Err(StartError::NoSuchAddress { address: address.to_string() });
        }
        let mut open = self.open.lock().unwrap();
        let overlaps = |other: &SocketAddr| {
            let any = other.ip().is_unspecified() || address.ip().is_unspecified();
            other.port() == address.port() && (any || other.ip() == address.ip())
        };
        if open.iter().any(overlaps) {
            return Err(StartError::InUse { address: address.to_string() });
        }
        open.insert(address);
        let all = Arc::clone(&self.open);
        Ok(Box::new(move || {
            all.lock().unwrap().remove(&address);
        }))
    }
}

/// Covers one name, and expires.
struct MockCertificate;

const EXPIRED: OffsetDateTime = time::macros::datetime!(2001-01-01 0:00 UTC);

impl Certified for MockCertificate {
    fn refusals(&self, names: &[ServedName], now: OffsetDateTime) -> Vec<String> {
        let uncovered = self.uncovered(names);
        let mut against: Vec<_> =
            uncovered.iter().map(|name| format!("{name} is not covered")).collect();
        if now >= EXPIRED {
            against.push("it has expired".to_owned());
        }
        against
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn uncovered(&self, names: &[ServedName]) -> Vec<String> {
        let names = names.iter().map(ToString::to_string);
        names.filter(|name| name != "ldap.example.com").collect()
    }
}

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

struct Scene {
    folder: TempDir,
    listeners: MockListeners,
    publisher: Arc<Publisher>,
}

const OFFICE: &str =
    "[[publish.rule]]\nname='office'\npriority=200\nsource='192.0.2.0/24'\nverdict='allow'\n";
const EXTERNAL: &str = "[publish.external]\nenabled=true\naddress='0.0.0.0:636'\n";
const INTERNAL: &str = "[publish.internal]\nenabled=true\naddress='10.0.0.5:1636'\n";

fn config(text: &str) -> Config {
    Config::from_text(text, None, &Overrides::default()).unwrap()
}

fn order(record: &Record, text: &str, switch: Option<(Scope, bool)>) -> Order {
    let config = config(text);
    let switches = switched(&config, &record.switches, switch);
    let asked = AskedFor { what: "apply".to_owned(), by: "a test".to_owned() };
    Order { wanted: Publication::wanted(&config, &switches), switches, asked }
}

impl Scene {
    fn start(text: &str) -> Scene {
        Scene::start_on(tempfile::tempdir().unwrap(), text)
    }

    fn start_on(folder: TempDir, text: &str) -> Scene {
        Scene::start_beside(folder, text, &[])
    }

    /// The same, while others have these addresses.
    fn start_beside(folder: TempDir, text: &str, taken: &[&str]) -> Scene {
        let data = folder.path().to_owned();
        let publisher = Arc::new(Publisher::new(data, Box::new(MockCertificate), NOW));
        let scene = Scene { folder, listeners: MockListeners::default(), publisher };
        let listeners = Box::new(scene.listeners.clone());
        listeners
            .open
            .lock()
            .unwrap()
            .extend(taken.iter().map(|at| at.parse::<SocketAddr>().unwrap()));
        scene.publisher.begin(listeners, |record| order(record, text, None), NOW);
        scene
    }

    fn apply(&self, text: &str) -> Result<Vec<String>, NotDone> {
        let changes = self.publisher.change(|record| order(record, text, None), NOW)?;
        Ok(changes.iter().map(ToString::to_string).collect())
    }

    fn switch(&self, text: &str, scope: Scope, on: bool) -> Result<usize, NotDone> {
        let order = |record: &Record| order(record, text, Some((scope, on)));
        self.publisher.change(order, NOW).map(|changes| changes.len())
    }

    fn state(&self) -> State {
        let record = self.publisher.record();
        assert_eq!(Record::load(self.folder.path()).unwrap(), record, "the file says the same");
        record.state
    }

    fn judges(&self, scope: Scope, client: &str) -> String {
        let gates = self.publisher.gates();
        let (_, _, gate) = gates.iter().find(|gate| gate.0 == scope).unwrap();
        gate.admission().rules.judge(client.parse().unwrap()).name.clone()
    }
}

#[test]
fn nothing_wanted_is_nothing_written() {
    let scene = Scene::start("");
    assert_eq!(scene.state(), State::Disabled);
    assert!(!super::super::record::path(scene.folder.path()).exists());
    assert_eq!(scene.apply("").unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_written_comes_in_force_and_goes_again() {
    let both = [INTERNAL, EXTERNAL, OFFICE].concat();
    let scene = Scene::start("");
    assert_eq!(
        scene.apply(&both).unwrap(),
        [
            "+ listener internal: 10.0.0.5:1636",
            "+ listener external: 0.0.0.0:636",
            "+ rule office (200): allow 192.0.2.0/24"
        ]
    );
    assert_eq!(scene.state(), State::Enabled);
    assert_eq!(scene.listeners.addresses(), ["0.0.0.0:636", "10.0.0.5:1636"]);
    assert_eq!(scene.judges(Scope::External, "10.1.1.1"), "default-deny");
    assert_eq!(scene.judges(Scope::Internal, "10.1.1.1"), "default-allow-private");
    assert_eq!(scene.apply(&both).unwrap(), Vec::<String>::new(), "nothing to do");
    let wider = both.replace("192.0.2.0/24", "192.0.0.0/16");
    let changes = scene.apply(&wider).unwrap();
    assert_eq!(changes, ["~ rule office (200): allow 192.0.0.0/16 (was 200: allow 192.0.2.0/24)"]);
    assert_eq!(scene.judges(Scope::External, "192.0.7.7"), "office");
    assert_eq!(scene.apply(INTERNAL).unwrap().len(), 2, "the listener and its rule");
    assert_eq!(scene.listeners.addresses(), ["10.0.0.5:1636"]);
    assert_eq!(scene.apply("").unwrap().len(), 1);
    assert_eq!((scene.state(), scene.listeners.addresses().len()), (State::Disabled, 0));
}

#[test]
fn what_must_not_be_open_stays_as_it_is() {
    let open = OFFICE.replace("192.0.2.0/24", "0.0.0.0/0");
    let halves = OFFICE.replace("'192.0.2.0/24'", "['0.0.0.0/1', '128.0.0.0/1']");
    let named = "[publish]\nnames=['other.example.com']\n";
    for (text, expected) in [
        (EXTERNAL.to_owned(), "lets nobody in on port 636"),
        ([EXTERNAL, &OFFICE.replace("allow", "deny")].concat(), "lets nobody in"),
        ([EXTERNAL, &open].concat(), "accept-open-to-everyone = true"),
        ([EXTERNAL, &halves].concat(), "accept-open-to-everyone = true"),
        ([INTERNAL, &open].concat(), "in [publish.internal] if that is meant"),
        ([INTERNAL, &halves].concat(), "the internal listener is open to everyone"),
        ([named, EXTERNAL, OFFICE].concat(), "other.example.com is not covered"),
    ] {
        for before in ["", INTERNAL] {
            let scene = Scene::start(before);
            let (state, addresses) = (scene.state(), scene.listeners.addresses());
            let NotDone::Refused(why) = scene.apply(&text).unwrap_err() else { panic!("{text}") };
            assert!(why.iter().any(|why| why.contains(expected)), "{text}: {why:?}");
            assert_eq!(scene.state(), State::Failed);
            assert_eq!(scene.listeners.addresses(), addresses);
            let conditions = scene.publisher.conditions(NOW);
            assert!(conditions.iter().any(|one| one.id == "publishing-failed"), "{conditions:?}");
            // Taken back, it is as it was, and nothing is said any more.
            assert_eq!(scene.apply(before).unwrap(), Vec::<String>::new());
            assert_eq!((scene.state(), scene.publisher.conditions(NOW).len()), (state, 0));
        }
    }
}

#[test]
fn everybody_by_name_is_taken_and_told() {
    let open = OFFICE.replace("192.0.2.0/24", "0.0.0.0/0");
    for (listener, id) in
        [(EXTERNAL, "external-open-to-everyone"), (INTERNAL, "internal-open-to-everyone")]
    {
        let accepted = [listener, "accept-open-to-everyone=true\n", &open].concat();
        let scene = Scene::start(&accepted);
        assert_eq!(scene.state(), State::Enabled);
        let conditions = scene.publisher.conditions(NOW);
        assert_eq!(conditions.len(), 1, "{conditions:?}");
        assert_eq!(conditions[0].id, id);
    }
    // A rule that is for outside only opens nothing inside.
    let outside = open.clone() + "listener='external'\n";
    let both = [EXTERNAL, "accept-open-to-everyone=true\n", INTERNAL, &outside].concat();
    assert_eq!(Scene::start(&both).publisher.conditions(NOW).len(), 1);
}

#[test]
fn an_address_that_cannot_be_had_leaves_what_served() {
    let scene = Scene::start(&[INTERNAL, OFFICE].concat());
    let elsewhere = "10.0.0.6:1636";
    scene.listeners.broken.lock().unwrap().insert(elsewhere.parse().unwrap());
    let moved = [&INTERNAL.replace("10.0.0.5:1636", elsewhere), EXTERNAL, OFFICE].concat();
    let NotDone::Failed(why) = scene.apply(&moved).unwrap_err() else { panic!("it is refused") };
    assert!(why.contains("no such address"), "{why}");
    assert_eq!(scene.listeners.addresses(), ["10.0.0.5:1636"], "and the external one is closed");
    assert_eq!(scene.state(), State::Failed);
    // The one that works is opened before the one that it replaces is closed.
    scene.listeners.broken.lock().unwrap().clear();
    scene.apply(&moved).unwrap();
    assert_eq!(scene.listeners.addresses(), ["0.0.0.0:636", elsewhere]);
}

#[test]
fn an_address_that_overlaps_with_the_old_one_is_moved_and_moved_back() {
    let scene = Scene::start(INTERNAL);
    let all = INTERNAL.replace("10.0.0.5", "0.0.0.0");
    scene.apply(&all).unwrap();
    assert_eq!(scene.listeners.addresses(), ["0.0.0.0:1636"]);
    let broken: SocketAddr = "0.0.0.0:636".parse().unwrap();
    scene.listeners.broken.lock().unwrap().insert(broken);
    scene.apply(&[INTERNAL, EXTERNAL, OFFICE].concat()).unwrap_err();
    assert_eq!(scene.listeners.addresses(), ["0.0.0.0:1636"]);
    assert_eq!(scene.judges(Scope::Internal, "10.1.1.1"), "default-allow-private");
}

#[test]
fn an_address_that_is_busy_at_the_start_is_tried_again() {
    let both = [INTERNAL, EXTERNAL, OFFICE].concat();
    for (is_first, meanwhile) in [(true, 0), (false, 1)] {
        let folder = match is_first {
            true => tempfile::tempdir().unwrap(),
            false => Scene::start(&both).folder,
        };
        let scene = Scene::start_beside(folder, &both, &["0.0.0.0:636"]);
        let reason = scene.publisher.record().reason.unwrap();
        assert!(reason.starts_with("cannot listen on 0.0.0.0:636: it is in use; "), "{reason}");
        assert!(reason.ends_with("`address` in [publish.external]; it is tried again"), "{reason}");
        let open = || scene.publisher.gates().len();
        assert_eq!(open(), meanwhile, "what served before, as far as it can be had");
        let tried = || scene.publisher.waiting.lock().unwrap().as_ref().map(|own| own.turns);
        for _ in 0..9 {
            scene.publisher.try_again(NOW);
            assert_eq!((scene.state(), open()), (State::Failed, meanwhile));
            assert_eq!(scene.publisher.record().reason.as_ref(), Some(&reason));
        }
        assert_eq!(tried(), Some(9));
        scene.listeners.open.lock().unwrap().remove(&"0.0.0.0:636".parse().unwrap());
        for _ in 0..2 {
            scene.publisher.try_again(NOW);
            assert_eq!(open(), meanwhile, "more rarely by now");
        }
        scene.publisher.try_again(NOW);
        assert_eq!((scene.state(), open()), (State::Enabled, 2));
        assert_eq!((scene.publisher.record().reason, tried()), (None, None));
    }
}

#[test]
fn what_an_operator_asked_for_in_vain_is_not_tried_again() {
    let scene = Scene::start_beside(tempfile::tempdir().unwrap(), "", &["0.0.0.0:636"]);
    let NotDone::Failed(why) = scene.apply(&[EXTERNAL, OFFICE].concat()).unwrap_err() else {
        panic!("it is refused")
    };
    assert!(!why.contains("--listen") && !why.contains("tried again"), "{why}");
    scene.listeners.open.lock().unwrap().clear();
    scene.publisher.try_again(NOW);
    assert_eq!((scene.state(), scene.listeners.addresses().len()), (State::Failed, 0));
}

#[test]
fn a_crash_in_the_middle_is_found_out_and_what_served_before_serves() {
    let text = [EXTERNAL, OFFICE].concat();
    let scene = Scene::start(&text);
    let mut record = scene.publisher.record();
    record.state = State::Configuring;
    record.store(scene.folder.path()).unwrap();
    let wider = text.replace("192.0.2.0/24", "192.0.0.0/16");
    let again = Scene::start_on(scene.folder, &wider);
    assert_eq!(again.state(), State::Failed);
    let reason = again.publisher.record().reason.unwrap();
    assert!(reason.starts_with("interrupted: the server ended while it was changing"), "{reason}");
    assert_eq!(again.listeners.addresses(), ["0.0.0.0:636"]);
    assert_eq!(again.judges(Scope::External, "192.0.7.7"), "default-deny", "as before");
    again.apply(&wider).unwrap();
    assert_eq!(again.state(), State::Enabled);
    assert_eq!(again.judges(Scope::External, "192.0.7.7"), "office");
}

#[test]
fn a_start_with_what_must_not_be_serves_what_served_before() {
    let text = [EXTERNAL, OFFICE].concat();
    let scene = Scene::start(&text);
    let since = scene.publisher.record().since;
    let again = Scene::start_on(scene.folder, &text);
    assert_eq!((again.state(), again.publisher.record().since), (State::Enabled, since));
    let third = Scene::start_on(again.folder, EXTERNAL);
    assert_eq!(third.state(), State::Failed);
    assert_eq!(third.judges(Scope::External, "192.0.2.7"), "office");
}

#[test]
fn a_second_change_is_refused_while_one_is_under_way() {
    let scene = Scene::start("");
    let ((tell, told), (go, wait)) = (channel(), channel());
    *scene.listeners.pause.lock().unwrap() = Some((tell, wait));
    std::thread::scope(|threads| {
        let first = threads.spawn(|| scene.apply(INTERNAL));
        told.recv().unwrap();
        assert_eq!(scene.publisher.record().state, State::Configuring);
        let NotDone::Busy(why) = scene.apply("").unwrap_err() else { panic!("it is not busy") };
        assert!(why.contains("since 1970-01-01T00:00:00Z: apply (by a test)"), "{why}");
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap().unwrap().len(), 1);
    });
    assert_eq!(scene.state(), State::Enabled);
}

#[test]
fn a_switch_holds_until_the_file_changes_its_mind() {
    let off = [&EXTERNAL.replace("true", "false"), OFFICE].concat();
    let on = [EXTERNAL, OFFICE].concat();
    let scene = Scene::start(&off);
    assert_eq!(scene.switch(&off, Scope::External, true).unwrap(), 2);
    assert_eq!(scene.switch(&off, Scope::External, true).unwrap(), 0, "nothing to do");
    assert_eq!(scene.apply(&off).unwrap(), Vec::<String>::new(), "a reload leaves it");
    let again = Scene::start_on(scene.folder, &off);
    assert_eq!(again.listeners.addresses(), ["0.0.0.0:636"], "a restart leaves it");
    assert_eq!(again.apply(&on).unwrap(), Vec::<String>::new());
    assert!(again.publisher.record().switches.is_empty(), "now the file says it");
    assert_eq!(again.apply(&off).unwrap().len(), 2, "and the file ends it");
    again.apply(&on).unwrap();
    again.switch(&on, Scope::External, false).unwrap();
    assert_eq!(again.apply(&on).unwrap(), Vec::<String>::new(), "off, though the file says on");
    assert_eq!(again.publisher.record().switches["external"], Switch { on: false, file: true });
    // A switch that is refused is none.
    let bare = EXTERNAL.replace("true", "false");
    again.apply(&bare).unwrap();
    again.switch(&bare, Scope::External, true).unwrap_err();
    assert!(again.publisher.record().switches.is_empty());
}

#[test]
fn closing_is_possible_whatever_is_wrong_with_what_stays() {
    let both = [INTERNAL, EXTERNAL, OFFICE].concat();
    let scene = Scene::start(&both);
    let apply = |text: &str| {
        let changes = scene.publisher.change(|record| order(record, text, None), EXPIRED);
        changes.map(|changes| changes.len())
    };
    let moved = both.replace("10.0.0.5", "10.0.0.6");
    let NotDone::Refused(why) = apply(&moved).unwrap_err() else { panic!("it is refused") };
    assert_eq!(why, ["it has expired"]);
    let wider = both.replace("192.0.2.0/24", "192.0.0.0/16");
    assert_eq!(apply(&wider).unwrap(), 1, "rules have nothing to do with it");
    assert_eq!(apply(&[INTERNAL, OFFICE].concat()).unwrap(), 2);
    assert_eq!(scene.listeners.addresses(), ["10.0.0.5:1636"]);
    assert_eq!(apply("").unwrap(), 2);
    assert_eq!(scene.state(), State::Disabled);
}

#[test]
fn a_listener_without_an_address_cannot_be_switched_on() {
    let scene = Scene::start("");
    let NotDone::Refused(why) = scene.switch("", Scope::External, true).unwrap_err() else {
        panic!("it is refused")
    };
    assert_eq!(
        why,
        ["the external listener has no address: write `address` in [publish.external]"]
    );
    assert_eq!(scene.state(), State::Failed);
}

#[test]
fn a_state_that_cannot_be_read_is_named_and_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = super::super::record::path(folder.path());
    std::fs::write(&path, "{\"state\": \"half\"}").unwrap();
    let error = Record::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("publish.json") && error.contains("mend it, or remove it"), "{error}");
}

#[test]
fn a_start_sets_a_state_that_cannot_be_read_aside_and_opens_nothing_unasked() {
    let text = [EXTERNAL, OFFICE].concat();
    let folder = tempfile::tempdir().unwrap();
    let file = super::super::record::path(folder.path());
    std::fs::write(&file, "{\"state\": \"half\"}").unwrap();
    std::fs::write(folder.path().join("publish.json.unreadable"), "older").unwrap();
    let mut scene = Scene::start_on(folder, &text);
    for _ in 0..2 {
        assert_eq!((scene.state(), scene.listeners.addresses().len()), (State::Failed, 0));
        let reason = scene.publisher.record().reason.unwrap();
        assert!(reason.contains("publish.json.unreadable-2"), "{reason}");
        assert!(reason.contains("chancery publish apply"), "{reason}");
        let certificate = |record: &Record| Some(order(record, &text, None));
        scene.publisher.certificate_came(certificate, NOW);
        assert_eq!((scene.state(), scene.listeners.addresses().len()), (State::Failed, 0));
        // Nor does another start.
        scene = Scene::start_on(scene.folder, &text);
    }
    let read = |name: &str| std::fs::read_to_string(scene.folder.path().join(name)).unwrap();
    assert_eq!(read("publish.json.unreadable"), "older");
    assert_eq!(read("publish.json.unreadable-2"), "{\"state\": \"half\"}");
    scene.apply(&text).unwrap();
    assert_eq!((scene.state(), scene.listeners.addresses().len()), (State::Enabled, 1));
    assert!(!scene.publisher.record().held);
}

#[test]
fn a_certificate_brings_back_what_was_interrupted_and_nothing_new() {
    let text = [EXTERNAL, OFFICE].concat();
    let scene = Scene::start(&text);
    let mut record = scene.publisher.record();
    record.state = State::Configuring;
    record.store(scene.folder.path()).unwrap();
    let wider = text.replace("192.0.2.0/24", "192.0.0.0/16");
    let again = Scene::start_on(scene.folder, &wider);
    again.publisher.certificate_came(|record| Some(order(record, &wider, None)), NOW);
    assert_eq!(again.state(), State::Failed);
    assert_eq!(again.judges(Scope::External, "192.0.7.7"), "default-deny", "as before");
    let third = Scene::start_on(again.folder, &wider);
    assert_eq!(third.judges(Scope::External, "192.0.7.7"), "default-deny", "nor does a start");
}

#[test]
fn the_record_is_for_its_owner_only_and_replaced_as_a_whole() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::start(&[EXTERNAL, OFFICE].concat());
    let path = super::super::record::path(scene.folder.path());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let files: Vec<_> = std::fs::read_dir(scene.folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing else is left");
}
