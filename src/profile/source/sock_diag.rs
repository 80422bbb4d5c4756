//! What the kernel counts of TCP connections, asked over netlink as `ss -ti` asks: segments with data in both directions.
//! Takes no privileges and touches no process; tells of the network namespace that boundby itself is in. A thin edge:
//! parsing is pure. Source of the layouts: Linux `include/uapi/linux/{netlink,sock_diag,inet_diag,tcp}.h`.

use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use super::memory::{half, word};

/// `SOCK_DIAG_BY_FAMILY`, `NLMSG_ERROR`, `NLMSG_DONE`.
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`, and `NLM_F_REQUEST` alone.
const DUMP: u16 = 0x301;
const ONE: u16 = 1;
const IPPROTO_TCP: u8 = 6;
/// `1 << (INET_DIAG_INFO - 1)`, and its attribute.
const WITH_INFO: u8 = 2;
const INFO: u16 = 2;
/// Kernel states of connections over which something may have come, and of listening sockets.
const OPEN: [u8; 6] = [1, 4, 5, 8, 9, 11];
const LISTEN: u8 = 10;
/// Bytes of a header of netlink, of `struct inet_diag_req_v2` and of `struct inet_diag_msg`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
const MESSAGE: usize = 72;
/// Most bytes the kernel sends at once.
const BUFFER: usize = 64 * 1024;
/// Messages of one answer, at most: a million connections.
const ANSWERS: usize = 16_384;

/// A socket as the kernel counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// It listens on this port.
    Listening(u16),
    /// It is, or was until a moment ago, connected.
    Open(Counted),
}

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Its identity.
    pub cookie: u64,
    /// Of this side.
    pub port: u16,
    /// Segments with data that came, and those that were sent.
    pub asked: u32,
    /// See `asked`.
    pub answered: u32,
    /// Bytes that came.
    pub bytes: u64,
    /// Most bytes of a segment that comes.
    pub largest: u32,
    /// What came last came after what was sent last.
    pub is_unanswered: bool,
    /// By which it can be asked for again.
    pub address: Address,
}

/// Family, and both ends as the kernel wrote them (`struct inet_diag_sockid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address(u8, [[u8; 16]; 3]);

/// A socket to ask the kernel with.
#[derive(Debug)]
pub(crate) struct SockDiag(OwnedFd);

impl SockDiag {
    /// `None`: the kernel has none, or a sandbox forbids it.
    pub(crate) fn open() -> Option<Self> {
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        socket_with(family, kind, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG)).ok().map(Self)
    }

    /// Every TCP socket of boundby's network namespace. `None`: the kernel does not tell.
    pub(crate) fn sockets(&self) -> Option<Vec<Socket>> {
        let mut found = Vec::new();
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            self.dump(u8::try_from(family.as_raw()).ok()?, &mut found)?;
        }
        Some(found)
    }

    /// What the kernel counts now of a connection it told of; `None`: it is gone.
    pub(crate) fn again(&self, Address(family, id): &Address) -> Option<Counted> {
        let mut question = request(*family, 0, ONE);
        question.splice(HEADER + REQUEST - 48.., id.concat());
        send(&self.0, &question, SendFlags::empty()).ok()?;
        let mut buffer = [0u8; 1024];
        let (length, _) = recv(&self.0, buffer.as_mut_slice(), RecvFlags::DONTWAIT).ok()?;
        let mut found = Vec::new();
        messages(buffer.get(..length)?, &mut found);
        found.into_iter().find_map(|socket| match socket {
            Socket::Open(counted) => Some(counted),
            Socket::Listening(_) => None,
        })
    }

    fn dump(&self, family: u8, found: &mut Vec<Socket>) -> Option<()> {
        let states = OPEN.into_iter().chain([LISTEN]).fold(0u32, |mask, state| mask | 1 << state);
        send(&self.0, &request(family, states, DUMP), SendFlags::empty()).ok()?;
        let mut buffer = vec![0u8; BUFFER];
        for _ in 0..ANSWERS {
            // The kernel has answered by the time the question was taken, and goes on whenever it is read.
            let (length, _) = recv(&self.0, buffer.as_mut_slice(), RecvFlags::DONTWAIT).ok()?;
            match messages(buffer.get(..length)?, found) {
                Answer::Unfinished => {}
                Answer::Complete => return Some(()),
                Answer::Refused => return None,
            }
        }
        None
    }
}

fn request(family: u8, states: u32, flags: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + REQUEST);
    bytes.extend(((HEADER + REQUEST) as u32).to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // Sequence number, and from whom: the only question there is.
    bytes.extend([0; 8]);
    bytes.extend([family, IPPROTO_TCP, WITH_INFO, 0]);
    bytes.extend(states.to_ne_bytes());
    // Any ports and addresses.
    bytes.resize(HEADER + REQUEST, 0);
    bytes
}

/// How an answer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Unfinished,
    Complete,
    Refused,
}

/// Takes the sockets of one piece of an answer.
fn messages(mut bytes: &[u8], found: &mut Vec<Socket>) -> Answer {
    while let (Some(length), Some(kind)) = (half(bytes, 0), short(bytes, 4)) {
        let Some(body) = bytes.get(HEADER..length as usize) else { return Answer::Refused };
        match kind {
            DONE => return Answer::Complete,
            ERROR => return Answer::Refused,
            BY_FAMILY => found.extend(socket(body)),
            _ => {}
        }
        bytes = bytes.get(aligned(length as usize)..).unwrap_or_default();
    }
    Answer::Unfinished
}

fn socket(body: &[u8]) -> Option<Socket> {
    let state = *body.get(1)?;
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    if state == LISTEN {
        return Some(Socket::Listening(port));
    }
    let cookie = word(body, 44)?;
    let mut address = Address(*body.first()?, [[0; 16]; 3]);
    for (to, from) in address.1.iter_mut().zip(body.get(4..52)?.chunks_exact(16)) {
        to.copy_from_slice(from);
    }
    let mut attributes = body.get(MESSAGE..)?;
    while let (Some(length), Some(kind)) = (short(attributes, 0), short(attributes, 2)) {
        let length = usize::from(length);
        let value = attributes.get(4..length)?;
        if kind == INFO {
            return info(value, cookie, port, address).map(Socket::Open);
        }
        attributes = attributes.get(aligned(length)..)?;
    }
    None
}

/// `struct tcp_info`; its later members came with Linux 4.6.
fn info(value: &[u8], cookie: u64, port: u16, address: Address) -> Option<Counted> {
    let (sent_ago, came_ago) = (half(value, 44)?, half(value, 52)?);
    Some(Counted {
        cookie,
        port,
        asked: half(value, 152)?,
        answered: half(value, 156)?,
        bytes: word(value, 128)?,
        largest: half(value, 84)?,
        is_unanswered: came_ago < sent_ago,
        address,
    })
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Everything in netlink begins at a multiple of four.
fn aligned(length: usize) -> usize {
    length.max(1).div_ceil(4) * 4
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn questions_and_answers_are_counted_on_both_sides() {
        let Some(diag) = SockDiag::open() else {
            println!("skipped: no netlink here");
            return;
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        for _ in 0..5 {
            client.write_all(b"question").unwrap();
            server.read_exact(&mut [0; 8]).unwrap();
            server.write_all(b"answer").unwrap();
            client.read_exact(&mut [0; 6]).unwrap();
        }
        let Some(sockets) = diag.sockets() else {
            println!("skipped: this kernel does not tell of its sockets");
            return;
        };
        assert!(sockets.contains(&Socket::Listening(port)));
        let here = |at: u16| {
            sockets.iter().find_map(|socket| match socket {
                Socket::Open(counted) if counted.port == at => Some(*counted),
                _ => None,
            })
        };
        let accepted = here(port).unwrap();
        assert_eq!((accepted.asked, accepted.answered, accepted.bytes), (5, 5, 40));
        let opened = here(client.local_addr().unwrap().port()).unwrap();
        assert_eq!((opened.asked, opened.answered, opened.bytes), (5, 5, 30));
        assert_ne!(accepted.cookie, opened.cookie);
        client.write_all(b"question").unwrap();
        server.read_exact(&mut [0; 8]).unwrap();
        let again = diag.again(&accepted.address).unwrap();
        assert_eq!((again.cookie, again.asked, again.answered), (accepted.cookie, 6, 5));
        drop((client, server));
        assert!(diag.again(&Address::default()).is_none());
    }

    #[test]
    fn answers_end_where_the_kernel_says_so() {
        let message = |kind: u16, body: &[u8]| {
            let mut bytes = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.resize(HEADER, 0);
            bytes.extend(body);
            bytes
        };
        let mut listening = vec![0; MESSAGE];
        listening[1] = LISTEN;
        listening[4..6].copy_from_slice(&8080u16.to_be_bytes());
        let mut found = Vec::new();
        let piece = [message(BY_FAMILY, &listening), message(BY_FAMILY, &listening)].concat();
        assert_eq!(messages(&piece, &mut found), Answer::Unfinished);
        assert_eq!(found, [Socket::Listening(8080), Socket::Listening(8080)]);
        assert_eq!(messages(&message(DONE, &[0; 4]), &mut found), Answer::Complete);
        assert_eq!(messages(&message(ERROR, &[0; 4]), &mut found), Answer::Refused);
        assert_eq!(messages(&piece[..20], &mut found), Answer::Refused);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300), length in 0u32..300) {
            let mut bytes = bytes;
            messages(&bytes, &mut Vec::new());
            if bytes.len() >= 6 {
                bytes[..4].copy_from_slice(&length.to_ne_bytes());
                bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
                messages(&bytes, &mut Vec::new());
            }
        }
    }
}
