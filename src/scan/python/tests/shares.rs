//! Large programs are looked at in shares: what is seen across them is what is seen in one.

use super::{facts, seen};
use crate::catalog::Catalog;
use crate::scan::python::names::Layout;

/// Everything that one share has to learn from another: what parameters get, bodies in classes below, decorators,
/// properties, what runs while the program starts, and twins.
const FIRST: &str = "\
import requests
from z.last import Store, get, wrapped, use, boot, Twin

class Disk(Store):
    def load(self):
        requests.get('https://example.org')

def take(session):
    session.get('https://example.org')

async def handler(store: Store, twin: Twin):
    store.load()
    get()
    wrapped()
    twin.size
    twin.fetch()
    use(requests.Session())

boot(lifespan=take)
";
const LAST: &str = "\
import threading
import requests
import time
from a.first import take

LOCK = threading.Lock()

class Store:
    def load(self):
        raise NotImplementedError

def get():
    time.sleep(1)

def decorator(function):
    def wrapper():
        time.sleep(2)
        function()
    return wrapper

@decorator
def wrapped():
    pass

def use(session):
    session.post('https://example.org')

def boot(lifespan):
    pass

class Twin:
    @property
    def size(self):
        return requests.get('https://example.org')
    def fetch(self):
        return 1
    async def afetch(self):
        return 1

def held():
    with LOCK:
        get_all()

def get_all():
    requests.get('https://example.org')

async def other():
    take(requests.Session())
";

#[test]
fn what_is_seen_across_shares_is_what_is_seen_in_one() {
    let alone = seen(&[("a/first.py", FIRST), ("z/last.py", LAST)]);
    assert!(alone.len() >= 8, "{alone:#?}");
    let filler = format!("def filler():\n{}", "    print()\n".repeat(3_000));
    let names: Vec<String> = (0..8).map(|number| format!("m/filler{number}.py")).collect();
    let mut files = vec![("a/first.py", FIRST)];
    files.extend(names.iter().map(|name| (name.as_str(), filler.as_str())));
    files.push(("z/last.py", LAST));
    let all: Vec<_> = files.iter().map(|(path, text)| facts(path, text)).collect();
    let shares = Layout::of(&all, Catalog::builtin()).shares();
    assert_eq!(shares.len(), 4);
    assert_eq!((shares[0].start, shares[3].end), (0, 10));
    assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
    assert_eq!(seen(&files), alone);
}

#[test]
fn no_files_are_one_share() {
    let shares = Layout::of(&[], Catalog::builtin()).shares();
    assert_eq!(shares, std::iter::once(0..0).collect::<Vec<_>>());
    assert!(seen(&[]).is_empty());
}
