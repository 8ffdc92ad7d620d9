//! The SCIM service over a world in memory: requests without sockets, TLS or waiting.

use std::cell::{Cell, Ref, RefCell};
use std::ops::Deref;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use chancery_engine::{Act, Answer, View};
use chancery_scim::Catalogue;
use chancery_scim_service::{ActFailure, Caller, Directory, Request};
use chancery_sealing::{EntropyError, Key};
use http::{HeaderMap, Method};

use crate::seed::Seeded;
use crate::world::World;

/// A world whose tenant is provisioned by SCIM requests of its credential.
#[derive(Debug)]
pub struct InMemory {
    world: RefCell<World>,
    seeded: RefCell<Seeded>,
    keysets: Cell<u64>,
    cursor_key: Key,
    catalogue: Catalogue,
}

/// A request as a test sends it.
#[derive(Clone, Debug)]
pub struct Sent<'a> {
    /// The method.
    pub method: Method,
    /// Path below the SCIM base and query: `/Users?count=1`.
    pub target: &'a str,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

impl InMemory {
    /// The SCIM base URI of the world's tenant.
    pub const BASE: &'static str = "https://scim.example/t/demo/scim/v2";

    /// Serves a world.
    #[must_use]
    pub fn new(mut world: World) -> Self {
        let seeded = Seeded::new(u64::from_be_bytes(first_bytes(world.seeded.key().expose())));
        let cursor_key = world.seeded.key();
        Self {
            cursor_key,
            catalogue: Catalogue::STANDARD,
            world: RefCell::new(world),
            seeded: RefCell::new(seeded),
            keysets: Cell::new(0),
        }
    }

    /// The world, to look at it or to let time pass.
    pub fn world(&mut self) -> &mut World {
        self.world.get_mut()
    }

    /// How many users' key pairs were made.
    #[must_use]
    pub fn keysets_made(&self) -> u64 {
        self.keysets.get()
    }

    /// Answers one request of the world's credential.
    #[must_use]
    pub fn answer(&self, sent: &Sent<'_>) -> chancery_scim_service::Answer {
        let caller = {
            let world = self.world.borrow();
            Caller {
                tenant: world.tenant,
                credential: world.credential,
                base: String::from(Self::BASE),
            }
        };
        let (path, query) = sent.target.split_once('?').unwrap_or((sent.target, ""));
        let request = Request {
            method: &sent.method,
            path,
            query,
            headers: &sent.headers,
            body: sent.body,
        };
        let answered = pin!(chancery_scim_service::answer(self, request, &caller));
        // Nothing here waits for anything: every act is committed by the call that asks for it.
        match answered.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => waits(),
        }
    }
}

#[expect(clippy::panic, reason = "a world in memory has nothing to wait for")]
fn waits() -> ! {
    panic!("a request waits in a world without time")
}

fn first_bytes(key: &[u8; 32]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *key;
    [a, b, c, d, e, f, g, h]
}

impl Directory for InMemory {
    fn read(&self) -> impl Deref<Target = View> + '_ {
        Ref::map(self.world.borrow(), |world| &world.view)
    }

    fn now_ms(&self) -> u64 {
        self.world.borrow().now_ms
    }

    fn fresh(&self) -> Result<Key, EntropyError> {
        Ok(self.seeded.borrow_mut().key())
    }

    fn act(&self, act: Act) -> impl Future<Output = Result<Answer, ActFailure>> + Send {
        let decided = self.world.borrow_mut().act(act);
        std::future::ready(decided.map_err(ActFailure::from))
    }

    fn at_length<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    fn catalogue(&self) -> Catalogue {
        self.catalogue
    }

    fn cursor_key(&self) -> &Key {
        &self.cursor_key
    }

    fn note_keyset(&self) {
        self.keysets.set(self.keysets.get().saturating_add(1));
    }
}
