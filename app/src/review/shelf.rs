//! The browser's shelf: texts by name in IndexedDB, which outlives tabs, restarts and days without a network.
//!
//! What is asked is done one after the other, so that what is read is what was put last. A browser that allows no
//! storage must not stop the work: the page itself still holds it.

use idb::{Database, Error, Factory, KeyRange, ObjectStoreParams, Query, TransactionMode};
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsValue;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;

const DATABASE: &str = "concord";
const STORE: &str = "unsent";

type Job = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    static OPEN: RefCell<Option<Rc<Database>>> = const { RefCell::new(None) };
    static JOBS: RefCell<VecDeque<Job>> = const { RefCell::new(VecDeque::new()) };
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Puts a text under a name, in place of what was there.
pub(crate) fn put(name: String, text: String) {
    queue(async move {
        write(&name, Some(&text)).await.unwrap_or_default();
    });
}

/// Takes what is under a name away.
pub(crate) fn remove(name: String) {
    queue(async move {
        write(&name, None).await.unwrap_or_default();
    });
}

/// Gives the texts whose names begin so.
pub(crate) fn all(prefix: String, then: impl FnOnce(Vec<String>) + 'static) {
    queue(async move {
        then(read(&prefix).await.unwrap_or_default());
    });
}

fn queue(job: impl Future<Output = ()> + 'static) {
    JOBS.with_borrow_mut(|jobs| jobs.push_back(Box::pin(job)));
    if BUSY.replace(true) {
        return;
    }
    spawn_local(async {
        while let Some(job) = JOBS.with_borrow_mut(VecDeque::pop_front) {
            job.await;
        }
        BUSY.set(false);
    });
}

async fn write(name: &str, text: Option<&str>) -> Result<(), Error> {
    let transaction = open().await?.transaction(&[STORE], TransactionMode::ReadWrite)?;
    let store = transaction.object_store(STORE)?;
    let name = JsValue::from_str(name);
    match text {
        Some(text) => drop(store.put(&JsValue::from_str(text), Some(&name))?.await?),
        None => store.delete(name)?.await?,
    }
    // Not left to the browser's leisure: the tab may be closing.
    transaction.commit()?.await?;
    Ok(())
}

async fn read(prefix: &str) -> Result<Vec<String>, Error> {
    let transaction = open().await?.transaction(&[STORE], TransactionMode::ReadOnly)?;
    let end = JsValue::from_str(&format!("{prefix}\u{ffff}"));
    let names = KeyRange::bound(&JsValue::from_str(prefix), &end, None, None)?;
    let found = transaction.object_store(STORE)?.get_all(Some(Query::KeyRange(names)), None)?.await?;
    Ok(found.iter().filter_map(JsValue::as_string).collect())
}

async fn open() -> Result<Rc<Database>, Error> {
    if let Some(database) = OPEN.with_borrow(Clone::clone) {
        return Ok(database);
    }
    let mut request = Factory::new()?.open(DATABASE, Some(1))?;
    request.on_upgrade_needed(|event| {
        use idb::DatabaseEvent;
        if let Ok(database) = event.database() {
            drop(database.create_object_store(STORE, ObjectStoreParams::new()));
        }
    });
    let database = Rc::new(request.await?);
    OPEN.set(Some(Rc::clone(&database)));
    take_over(&database).await?;
    Ok(database)
}

/// What an older version of the page has left in local storage.
async fn take_over(database: &Database) -> Result<(), Error> {
    let Some(old) = leptos::prelude::window().local_storage().ok().flatten() else { return Ok(()) };
    let names = (0..old.length().unwrap_or(0)).filter_map(|place| old.key(place).ok().flatten());
    let names: Vec<String> = names.filter(|name| name.starts_with("concord.")).collect();
    for name in names {
        let Some(text) = old.get_item(&name).ok().flatten() else { continue };
        let transaction = database.transaction(&[STORE], TransactionMode::ReadWrite)?;
        let store = transaction.object_store(STORE)?;
        store.put(&JsValue::from_str(&text), Some(&JsValue::from_str(&name)))?.await?;
        transaction.commit()?.await?;
        old.remove_item(&name).unwrap_or_default();
    }
    Ok(())
}
