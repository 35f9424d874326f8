//! Environment, directories and sockets: none, unless granted.

use std::net::TcpListener;

use tempfile::TempDir;

use crate::support::{Client, Run, get, serve, serve_with};

#[test]
fn the_environment_is_empty_unless_granted() {
    let server = Run::guest("hostile").env("SECRET_OF_THE_HOST", "1").serve();
    assert_eq!(get(server.address, "/env").text(), "[]");
    let server = serve_with("hostile", &["--env", "NAME=Ada", "--env", "EMPTY=", "--env", "SUM=1+1=2"]);
    assert_eq!(get(server.address, "/env").text(), r#"[["NAME","Ada"],["EMPTY",""],["SUM","1+1=2"]]"#);
}

fn data() -> TempDir {
    let directory = TempDir::new().unwrap();
    std::fs::create_dir(directory.path().join("inside")).unwrap();
    std::fs::write(directory.path().join("inside/file"), "content").unwrap();
    std::fs::write(directory.path().join("outside"), "not for guests").unwrap();
    directory
}

#[test]
fn no_directory_unless_granted() {
    let server = serve("hostile");
    for path in ["/etc/passwd", "/", ".", "../../etc/passwd", "/proc/self/environ"] {
        assert_eq!(get(server.address, &format!("/read?path={path}")).status, 403, "{path}");
    }
}

#[test]
fn a_directory_is_read_only_and_not_a_way_out() {
    let data = data();
    std::os::unix::fs::symlink(data.path().join("outside"), data.path().join("inside/link")).unwrap();
    let grant = format!("{}::/data", data.path().join("inside").display());
    let server = serve_with("hostile", &["--dir", &grant]);
    let mut client = Client::connect(server.address);
    assert_eq!(client.get("/read?path=/data/file").text(), "content");
    assert_eq!(client.post("/write?path=/data/file", "changed").status, 403);
    assert_eq!(client.post("/write?path=/data/new", "new").status, 403);
    for path in ["/data/../outside", "/data/link", "/data/../../etc/passwd", "/outside"] {
        let response = client.get(&format!("/read?path={path}"));
        assert_eq!((response.status, response.text().contains("not for")), (403, false), "{path}");
    }
    assert_eq!(std::fs::read_to_string(data.path().join("inside/file")).unwrap(), "content");
    assert!(!data.path().join("inside/new").exists());
}

#[test]
fn a_directory_can_be_granted_for_writing() {
    let data = data();
    let grant = format!("{}::/data:rw", data.path().join("inside").display());
    let server = serve_with("hostile", &["--dir", &grant]);
    let mut client = Client::connect(server.address);
    assert_eq!(client.post("/write?path=/data/new", "new").text(), "written\n");
    assert_eq!(client.get("/read?path=/data/new").text(), "new");
    assert_eq!(client.post("/write?path=/data/../outside", "changed").status, 403);
    assert_eq!(std::fs::read_to_string(data.path().join("inside/new")).unwrap(), "new");
    assert_eq!(std::fs::read_to_string(data.path().join("outside")).unwrap(), "not for guests");
}

#[test]
fn sockets_connect_only_where_granted() {
    let granted = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Bound again below: both listeners exist at the same time, so that the ports differ.
    let listener = TcpListener::bind(granted).unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = |address: std::net::SocketAddr| format!("/connect?addr={address}");

    let server = serve("hostile");
    assert_eq!(get(server.address, &connect(granted)).status, 403);

    let server = serve_with("hostile", &["--allow-socket", &granted.to_string()]);
    assert_eq!(get(server.address, &connect(granted)).text(), "connected\n");
    assert_eq!(get(server.address, &connect(other.local_addr().unwrap())).status, 403);

    let server = serve_with("hostile", &["--allow-socket", "127.0.0.1"]);
    assert_eq!(get(server.address, &connect(other.local_addr().unwrap())).text(), "connected\n");
    drop(listener);
}
