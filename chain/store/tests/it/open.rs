//! Whose files are opened, and what the operator is told when they are not ours.
use crate::fixture::{Fixture, chain};
use std::{fs, path::Path, process::Command};
use timecoin_chain::types::Height;
use timecoin_store::{LEDGER_FILE, PID_FILE, SAFETY_FILE, Store, StoreError, StoreOptions};

const META: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("meta");
const CHILD_DIRECTORY: &str = "TIMECOIN_STORE_TEST_DIRECTORY";

fn files(dir: &Path) -> [Vec<u8>; 2] {
    [LEDGER_FILE, SAFETY_FILE].map(|file| fs::read(dir.join(file)).unwrap())
}

fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, &chain(1_000_000), StoreOptions::default())
}

#[test]
fn a_new_directory_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a").join("b");
    let store = open(&dir).unwrap();
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(store.stats().bytes_on_disk > 0);
    let pid = fs::read_to_string(dir.join(PID_FILE)).unwrap();
    assert_eq!(pid, std::process::id().to_string());
    let mut names: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, [LEDGER_FILE, PID_FILE, SAFETY_FILE]);
}

#[test]
fn a_second_open_in_this_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let pid = std::process::id();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::AlreadyOpen { pid: Some(found), .. } if found == pid));
    assert_eq!(
        error.to_string(),
        format!(
            "{} is already open in process {pid}: only one node may use a data directory",
            dir.path().display()
        )
    );
    let next = format!("stop it (`kill {pid}`), or start this node with another data directory");
    assert_eq!(error.next(), next);
    assert_eq!(store.state().unwrap().height, Height::GENESIS);
    drop(store);
    open(dir.path()).unwrap();
}

/// Plays both processes: with a directory in the environment, the one that comes second.
#[test]
fn a_second_open_in_another_process_is_refused() {
    if let Ok(dir) = std::env::var(CHILD_DIRECTORY) {
        match open(Path::new(&dir)) {
            Ok(store) => println!("opened at height {}", store.state().unwrap().height),
            Err(error) => println!("{error}"),
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let refused = child(dir.path());
    let text = format!("already open in process {}", std::process::id());
    assert!(refused.contains(&text), "{refused}");
    drop(store);
    let opened = child(dir.path());
    assert!(opened.contains("opened at height 0"), "{opened}");
}

/// What another process says that opens the directory.
fn child(dir: &Path) -> String {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "open::a_second_open_in_another_process_is_refused", "--nocapture"])
        .env(CHILD_DIRECTORY, dir)
        .output()
        .unwrap();
    String::from_utf8_lossy(&child.stdout).into_owned()
}

#[test]
fn another_genesis_is_refused_without_a_change() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let before = files(dir.path());
    let (ours, other) = (chain(1_000_000), chain(2_000_000));
    let error = Store::open(dir.path(), &other, StoreOptions::default()).unwrap_err();
    assert!(
        matches!(&error, StoreError::OtherGenesis { found, expected, .. }
            if (*found, *expected) == (ours.hash, other.hash)),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        format!(
            "{} belongs to the chain with genesis {}, and the node was started for genesis {}. \
             Nothing was changed",
            dir.path().join(LEDGER_FILE).display(),
            ours.hash,
            other.hash
        )
    );
    assert_eq!(
        error.next(),
        "start with the genesis file that this data directory was made for, or with another data \
         directory"
    );
    assert!(files(dir.path()) == before);
}

#[test]
fn another_schema_is_refused_without_a_change() {
    let newer = "has schema 7, and this program reads up to schema 2: a later version wrote it. \
                 Nothing was changed; start that version, or a later one, instead";
    let older = "has schema 1, and this program reads schema 2 only: an earlier version wrote it. \
                 Nothing was changed; start that version, or begin with an empty data \
                 directory; a masternode begins with a new key there";
    for (file, (schema, text)) in [
        (LEDGER_FILE, (7_u32, newer)),
        (SAFETY_FILE, (7, newer)),
        (LEDGER_FILE, (1, older)),
        (SAFETY_FILE, (1, older)),
    ] {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()).unwrap());
        let database = redb::Database::open(dir.path().join(file)).unwrap();
        let txn = database.begin_write().unwrap();
        let bytes = schema.to_le_bytes();
        txn.open_table(META).unwrap().insert("schema", bytes.as_slice()).unwrap();
        txn.commit().unwrap();
        drop(database);
        let before = files(dir.path());
        let error = open(dir.path()).unwrap_err();
        let said = format!("{error}; {}", error.next());
        assert_eq!(said, format!("{} {text}", dir.path().join(file).display()));
        assert!(files(dir.path()) == before);
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(LEDGER_FILE), [0x55; 9_000]).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(error.to_string().contains(LEDGER_FILE), "{error}");
    assert!(error.next().contains("disk"), "{}", error.next());
    assert_eq!(fs::read(dir.path().join(LEDGER_FILE)).unwrap(), [0x55; 9_000]);
}

#[test]
fn a_damaged_row_names_its_table_and_key() {
    const COINS: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("coins");
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let path = dir.path().join(LEDGER_FILE);
    let database = redb::Database::open(&path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(COINS).unwrap().insert(3, [1, 2].as_slice()).unwrap();
    txn.commit().unwrap();
    drop(database);
    let error = open(dir.path()).unwrap().check().unwrap_err();
    let (path, aside) = (path.display(), format!("{}.damaged", path.display()));
    let text = format!("{path} is damaged: table coins, key 3: malformed encoding");
    assert!(error.to_string().starts_with(&text), "{error}");
    assert!(error.next().contains(&format!("`mv {path} {aside}`")), "{}", error.next());
}

#[test]
fn a_lost_ledger_is_begun_again_beside_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(1);
    let record = crate::fixture::record(&fixture.chain, 5, 0, None);
    open(dir.path()).unwrap().persist_safety(&record, &[]).unwrap();
    fs::remove_file(dir.path().join(LEDGER_FILE)).unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!(store.state().unwrap(), fixture.state);
    assert_eq!(store.load_safety().unwrap().unwrap().record, record);
}

#[test]
fn a_path_that_cannot_be_a_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, []).unwrap();
    let error = open(&path).unwrap_err();
    let path = path.display();
    assert!(error.to_string().starts_with(&format!("cannot create {path}: ")), "{error}");
    assert!(error.next().contains(&format!("`ls -ld {path}`")), "{}", error.next());
}

#[test]
fn a_half_made_file_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    for file in [SAFETY_FILE, LEDGER_FILE] {
        fs::write(dir.path().join(format!("{file}.new")), [0; 9_000]).unwrap();
    }
    drop(open(dir.path()).unwrap());
    // As after a crash between the two names.
    let (ledger, new) = (dir.path().join(LEDGER_FILE), dir.path().join("ledger.redb.new"));
    fs::rename(&ledger, &new).unwrap();
    open(dir.path()).unwrap().check().unwrap();
    assert!(ledger.exists() && !new.exists());
}
