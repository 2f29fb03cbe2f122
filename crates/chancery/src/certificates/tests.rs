//! Sources on disk through their changes.
