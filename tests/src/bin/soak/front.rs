//! The network between callers and managers: a door before each manager that leads to the other one when
//! its own is shut, and that cuts connections with a request in flight.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// One connection through a door.
#[derive(Debug, Default)]
struct Connection {
    /// A request was forwarded, and nothing has been answered since.
    in_flight: AtomicBool,
    cut: Notify,
}

/// The doors of one run; they stay open as long as the process lives.
#[derive(Debug, Default)]
pub(crate) struct Front {
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
    cuts: AtomicUsize,
}

impl Front {
    /// Opens a door before each manager; `bound` gets its address before the manager needs to be there.
    pub(crate) async fn door() -> TcpListener {
        TcpListener::bind(("127.0.0.1", 0)).await.expect("a free loopback port")
    }

    /// Leads through the doors from now on: each to the manager of the same number first.
    pub(crate) fn lead(self: &Arc<Self>, doors: Vec<TcpListener>, managers: &[SocketAddr]) {
        for (number, door) in doors.into_iter().enumerate() {
            let front = Arc::clone(self);
            let mut managers = managers.to_vec();
            managers.rotate_left(number);
            tokio::spawn(async move {
                loop {
                    let Ok((client, _)) = door.accept().await else { continue };
                    tokio::spawn(Arc::clone(&front).serve(client, managers.clone()));
                }
            });
        }
    }

    /// Cuts at most so many connections that have a request in flight; answers whether there was one.
    pub(crate) fn cut(&self, most: usize) -> bool {
        let open = self.lock();
        let in_flight = open.values().filter(|connection| connection.in_flight.load(SeqCst));
        let mut any = false;
        for connection in in_flight.take(most) {
            connection.cut.notify_one();
            any = true;
        }
        any
    }

    /// How many connections were cut with a request in flight.
    pub(crate) fn cuts(&self) -> usize {
        self.cuts.load(SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.open.lock().expect("no holder panics")
    }

    async fn serve(self: Arc<Self>, client: TcpStream, managers: Vec<SocketAddr>) {
        let mut found = None;
        for manager in managers {
            if let Ok(stream) = TcpStream::connect(manager).await {
                found = Some(stream);
                break;
            }
        }
        let Some(manager) = found else { return };
        let _ = (client.set_nodelay(true), manager.set_nodelay(true));
        let connection = Arc::new(Connection::default());
        let number = self.next.fetch_add(1, SeqCst);
        self.lock().insert(number, Arc::clone(&connection));
        let ((client_in, client_out), (manager_in, manager_out)) =
            (client.into_split(), manager.into_split());
        let in_flight = &connection.in_flight;
        tokio::select! {
            () = connection.cut.notified() => {
                // Its answer may have passed in the meantime.
                if in_flight.load(SeqCst) {
                    self.cuts.fetch_add(1, SeqCst);
                }
            }
            () = forward(client_in, manager_out, in_flight, true) => {}
            () = forward(manager_in, client_out, in_flight, false) => {}
        }
        self.lock().remove(&number);
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    in_flight: &AtomicBool,
    requests: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        in_flight.store(requests, SeqCst);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
