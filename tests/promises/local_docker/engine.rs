//! What a Docker engine is asked for, the program that stands for the inner runner in its
//! containers, and the door that leads out of them. It may not know jobs and scenes.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

/// What it printed, or why it did not work.
pub fn docker(host: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker")
        .args(["--host", host])
        .args(arguments)
        .env("DOCKER_BUILDKIT", "0")
        .output()
        .map_err(|error| format!("docker can't be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("docker {arguments:?}: {said}"))
}

/// The engine's address in the network of its containers: the first of the network, unless it is
/// said to be another.
pub fn gateway(host: &str) -> Result<Ipv4Addr, String> {
    let format = "--format={{range .IPAM.Config}}{{or .Gateway .Subnet}} {{end}}";
    let said = docker(host, &["network", "inspect", "bridge", format])?;
    let first = said.split_whitespace().next().unwrap_or_default();
    let (address, is_network) = match first.split_once('/') {
        Some((address, _)) => (address, true),
        None => (first, false),
    };
    let address: Ipv4Addr = address
        .parse()
        .map_err(|error| format!("its network is {said:?}: {error}"))?;
    Ok(Ipv4Addr::from_bits(
        address.to_bits() + u32::from(is_network),
    ))
}

/// The stand-in, compiled once. Linked statically, since an image from scratch has no libraries.
pub fn inner_runner() -> Result<&'static Path, String> {
    static COMPILED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gitlab-runner");
        let source = "tests/promises/local_docker/inner_runner.rs";
        let output = Command::new("rustc")
            .args(["--edition=2024", "-Ctarget-feature=+crt-static"])
            .args(["-Cstrip=symbols", "-o"])
            .args([
                &program,
                &Path::new(env!("CARGO_MANIFEST_DIR")).join(source),
            ])
            .output()
            .map_err(|error| format!("rustc can't be started: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(program).ok_or(said)
    });
    let compiled = compiled.as_ref().map(PathBuf::as_path);
    compiled.map_err(|why| format!("no static inner runner can be made: {why}"))
}

/// Passes on every connection, until the test's process ends.
pub fn open_door(listener: &TcpListener, target: SocketAddr) {
    for stream in listener.incoming().map_while(Result::ok) {
        // A coordinator that is gone already: the connection closes.
        let Ok(inside) = TcpStream::connect(target) else {
            continue;
        };
        let ends = (stream.try_clone().unwrap(), inside.try_clone().unwrap());
        thread::spawn(move || pass_on(stream, inside));
        thread::spawn(move || pass_on(ends.1, ends.0));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
