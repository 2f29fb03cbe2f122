//! The tree on disk: schema, access, search, change, store. Blocking, and ignorant of sockets, TLS,
//! message ids and async.
//!
//! In reading order:
//!
//! - [`directory`]: opened once, cheap to clone; [`view`]: a snapshot as seen by somebody.
//! - [`search`]: from a typed query to projected entries. [`change`]: the one door for all writing.
//! - [`subject`]: who asks, from where, how protected; [`credentials`]: signing in.
//! - [`lockout`]: what too many wrong passwords do.
//! - [`access`]: who may do what to which entries and attributes; `judge` applies it to the tree.
//! - [`schema`]: attribute types, object classes, syntaxes, matching rules, string preparation.
//! - [`password`]: verifying and making password hashes.
//! - `tree`, `names`, `catalogue`, `entry`, `index`: what the rows mean.
//! - [`store`]: rows and bytes; `docs/design/storage.md` is its specification.
//! - [`transfer`]: import, export, backup and the check of what lies on disk.
//! - [`lens`]: what stays true for one asker between two views; `epoch`: how that is known;
//!   [`keeper`]: a snapshot kept from one view to the next.
//! - `referral`: where else to ask.
//! - [`refusal`]: a correct "no" ([`Refusal`]) and a fault of ours ([`Fault`]).

pub mod access;
mod catalogue;
pub mod change;
pub mod clock;
pub mod credentials;
pub mod directory;
mod entry;
mod epoch;
mod index;
mod judge;
pub mod keeper;
pub mod lens;
pub mod lockout;
mod names;
pub mod password;
mod permits;
pub mod referral;
mod refusal;
mod reindex;
mod ruling;
pub mod schema;
pub mod search;
pub mod store;
pub mod subject;
mod subschema;
pub mod transfer;
mod tree;
pub mod turns;
pub mod view;

pub use change::{
    Change, ChangeControls, ChangeRequest, Modification, NewAttribute, Outcome, ReadEntry, Reply,
    WakingReply,
};
pub use credentials::{BindTarget, Rehash, Unfit, Verdict};
pub use directory::{Directory, OpenError, Settings};
pub use index::IndexSettings;
pub use keeper::Keeper;
pub use lens::Lens;
pub use lockout::{AccountStanding, Lock, LockedAccount, LockoutPolicy};
pub use refusal::{Error, Fault, Refusal};
pub use search::{EntrySink, GivenEntry, Page, Search, SearchDone, SearchQuery, Step};
pub use subject::{Protection, Subject, Who};
pub use subschema::SUBSCHEMA_DN;
pub use turns::Turns;
pub use view::{Holder, View};
