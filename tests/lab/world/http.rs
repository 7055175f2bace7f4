//! The smallest HTTP client: one request a connection, without a program to start. It is used where curl would be too slow
//! (polling, load) and runs in the network of the thread that calls it.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Status and body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

pub(crate) fn connect(address: SocketAddr, limit: Duration) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

/// GET; `limit` bounds each step.
pub(crate) fn get(address: SocketAddr, path: &str, limit: Duration) -> Result<Response> {
    let mut stream = connect(address, limit)?;
    stream.write_all(request(address, path).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    response(&answer)
}

/// The same as a task, where many are under way at once. The caller bounds it.
pub(crate) async fn get_as_task(address: SocketAddr, path: &str) -> Result<Response> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(request(address, path).as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    response(&answer)
}

/// In one piece: written bit by bit it would be a packet for each.
fn request(address: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")
}

fn response(answer: &str) -> Result<Response> {
    parse(answer).ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("not HTTP: {answer:?}")))
}

fn parse(answer: &str) -> Option<Response> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Response { status, body: body.to_owned() })
}
