//! Servers with an event loop (`answers.py`, `answers.js`) and the clients that ask them: how many requests there were.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use tempfile::TempDir;

use crate::programs::{Items, Program, profiled};

/// How clients ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking {
    /// Connections at a time.
    pub(crate) clients: usize,
    /// Requests of each client.
    pub(crate) requests: usize,
    /// Whether each request has a connection of its own.
    pub(crate) anew: bool,
    /// Whether a client asks twice in one go before it reads an answer.
    pub(crate) twice: bool,
}

impl Asking {
    pub(crate) fn all(self) -> usize {
        self.clients * self.requests
    }
}

/// What boundby says of the requests of a program that is asked so.
pub(crate) fn asked(program: &Program<'_>, asking: Asking) -> Option<Items> {
    let control = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = control.local_addr().unwrap().port().to_string();
    let clients = thread::spawn(move || {
        let (told, _) = control.accept().unwrap();
        let mut line = String::new();
        BufReader::new(told).read_line(&mut line).unwrap();
        let at: u16 = line.trim().parse().unwrap();
        let clients: Vec<_> = (0..asking.clients).map(|_| thread::spawn(move || ask(at, asking))).collect();
        for client in clients {
            client.join().unwrap();
        }
    });
    let scratch = TempDir::new().unwrap();
    let all = asking.all().to_string();
    let (truth, report) = profiled(&scratch, program, &[("PORT", &port), ("REQUESTS", &all)]);
    clients.join().unwrap();
    assert_eq!(truth.trim(), all);
    report.profile.items
}

fn ask(at: u16, asking: Asking) {
    let mut kept: Option<TcpStream> = None;
    let at_once = if asking.twice { 2 } else { 1 };
    for number in (0..asking.requests).step_by(at_once) {
        let mut connection = kept.take().unwrap_or_else(|| {
            let connection = TcpStream::connect(("127.0.0.1", at)).unwrap();
            connection.set_nodelay(true).unwrap();
            connection
        });
        let questions: Vec<String> = (0..at_once).map(|more| format!("{}\n", number + more)).collect();
        connection.write_all(questions.concat().as_bytes()).unwrap();
        // The server may end with the last answer.
        connection.read_exact(&mut vec![0; 5 * at_once]).unwrap();
        kept = Some(connection).filter(|_| !asking.anew);
    }
}
