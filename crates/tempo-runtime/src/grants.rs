//! Grants of environment variables, directories and sockets to a guest. It has none by default.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tempo_backend::ByteBudget;
use tempo_core::{Limits, LogBudget};
use tempo_settings::{Disclosure, Error, ErrorKind, Flag, FlagValue, KeyValue, Settings, ValueForm};
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::guest_output::{GuestOutput, OutputStreamKind};
use crate::own_files::{ALLOW_OWN_FILES, OwnFiles};

const ENV: Flag = Flag::new("env", "KEY=VALUE", "An environment variable for the guest")
    .repeatable()
    .form(ValueForm::KeyValue)
    .grants(Disclosure::Name);
const DIR: Flag = Flag::new("dir", "HOST::GUEST[:rw]", "A directory for the guest, read-only unless it ends in :rw")
    .repeatable()
    .form(ValueForm::Directory)
    .grants(Disclosure::Whole);
const SOCKET: Flag = Flag::new("allow-socket", "IP[:PORT]", "An address the guest may connect to with TCP or UDP")
    .repeatable()
    .grants(Disclosure::Whole);

/// The flags of grants.
pub(crate) const FLAGS: &[Flag] = &[ENV, DIR, ALLOW_OWN_FILES, SOCKET];

/// The grants of a component, from which the WASI context of each store is built.
pub(crate) struct Grants {
    env: Vec<(String, String)>,
    directories: Vec<Directory>,
    sockets: Arc<[SocketGrant]>,
    io: Io,
    max_random: u64,
}

/// The standard streams and arguments of a guest.
pub(crate) enum Io {
    /// Output goes to the log: the component serves.
    Log {
        /// The component's name.
        component: Arc<str>,
        /// The rate limit of all its instances.
        budget: Arc<LogBudget>,
    },
    /// The standard streams of the process: the component is a command with these arguments.
    Process(Vec<String>),
}

impl Grants {
    /// Parses the grants.
    ///
    /// # Errors
    ///
    /// A value cannot be parsed, or a directory does not exist or contains files that a guest must not write.
    pub(crate) fn from_settings(
        settings: &Settings,
        limits: &Limits,
        io: Io,
        own_files: &OwnFiles<'_>,
    ) -> Result<Self, Error> {
        let env = settings.all::<KeyValue>(&ENV)?.into_iter().map(|pair| (pair.key, pair.value)).collect();
        let directories = settings.all::<Directory>(&DIR)?;
        for directory in &directories {
            if !directory.host.is_dir() {
                let message = format!("--dir: {} is not a directory", directory.host.display());
                return Err(Error::new(ErrorKind::NotFound, message));
            }
            own_files.check(&directory.host, directory.permissions == FsPerms::ReadWrite)?;
        }
        let sockets = settings.all::<SocketGrant>(&SOCKET)?.into();
        Ok(Self { env, directories, sockets, io, max_random: limits.random_bytes as u64 })
    }

    /// Builds the WASI context of a new store, whose budget is `bytes`.
    ///
    /// # Errors
    ///
    /// A granted directory no longer exists.
    pub(crate) fn context(&self, bytes: &ByteBudget) -> wasmtime::Result<WasiCtx> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.max_random_size(self.max_random).envs(&self.env);
        for directory in &self.directories {
            wasi.preopened_dir(&directory.host, &directory.guest, directory.permissions)?;
        }
        if !self.sockets.is_empty() {
            let granted = self.sockets.clone();
            wasi.allow_tcp(true).allow_udp(true).socket_addr_check(move |address, usage| {
                let allowed = granted.iter().any(|grant| grant.allows(address, usage));
                Box::pin(async move { allowed })
            });
        }
        match &self.io {
            Io::Log { component, budget } => {
                let output = |stream| GuestOutput::new(component.clone(), stream, budget.clone(), bytes);
                wasi.stdout(output(OutputStreamKind::Stdout)).stderr(output(OutputStreamKind::Stderr));
            }
            Io::Process(arguments) => {
                wasi.inherit_stdio().args(arguments);
            }
        }
        Ok(wasi.build())
    }
}

/// `HOST::GUEST[:rw]`.
#[derive(Debug, PartialEq)]
struct Directory {
    host: PathBuf,
    guest: String,
    permissions: FsPerms,
}

impl FlagValue for Directory {
    const EXPECTED: &'static str = "HOST::GUEST, HOST::GUEST:ro or HOST::GUEST:rw";

    fn parse(text: &str) -> Option<Self> {
        let (host, guest) = text.split_once("::")?;
        // A guest's path has no colon, so that a misspelt mode is an error and not a part of the path.
        let (guest, permissions) = match guest.split_once(':') {
            Some((guest, "rw")) => (guest, FsPerms::ReadWrite),
            Some((guest, "ro")) => (guest, FsPerms::ReadOnly),
            None => (guest, FsPerms::ReadOnly),
            Some(_) => return None,
        };
        let complete = !host.is_empty() && !guest.is_empty();
        complete.then(|| Self { host: host.into(), guest: guest.to_owned(), permissions })
    }
}

/// An address that a guest may connect to, on one port or all.
#[derive(Debug, PartialEq)]
struct SocketGrant {
    address: IpAddr,
    port: Option<u16>,
}

impl FlagValue for SocketGrant {
    const EXPECTED: &'static str = "an IP address, with or without a port";

    fn parse(text: &str) -> Option<Self> {
        let with_port =
            text.parse::<SocketAddr>().map(|address| Self { address: address.ip(), port: Some(address.port()) });
        with_port.or_else(|_| text.parse().map(|address| Self { address, port: None })).ok()
    }
}

impl SocketGrant {
    /// Returns whether the grant allows `usage` of `address`: connections and datagrams to the granted address, and binding to
    /// the unspecified address, which connecting does implicitly. Listening is never allowed.
    fn allows(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        match usage {
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => address.ip().is_unspecified() && address.port() == 0,
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
            _ => {
                address.ip().to_canonical() == self.address.to_canonical()
                    && self.port.is_none_or(|port| port == address.port())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories() {
        let read_only = Directory::parse("./data::/data").unwrap();
        assert_eq!((read_only.guest.as_str(), read_only.permissions), ("/data", FsPerms::ReadOnly));
        assert_eq!(Directory::parse("a::/b:rw").unwrap().permissions, FsPerms::ReadWrite);
        let mode = |text| Directory::parse(text).map(|directory| (directory.guest, directory.permissions));
        assert_eq!(mode("d::/d:ro"), Some(("/d".to_owned(), FsPerms::ReadOnly)));
        for bad in ["a", "a:/b", "::b", "a::", "a:::rw", "a:::ro", "a::/b:wr", "a::/b:", "a::/b:ro:rw", "a::/b:RO"] {
            assert_eq!(Directory::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sockets_connect_only_to_granted_addresses_and_never_listen() {
        let grant = SocketGrant::parse("10.0.0.1:5432").unwrap();
        let to = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(grant.allows(to("10.0.0.1:5432"), SocketAddrUse::TcpConnect));
        assert!(grant.allows(to("[::ffff:10.0.0.1]:5432"), SocketAddrUse::TcpConnect));
        assert!(!grant.allows(to("10.0.0.1:5433"), SocketAddrUse::TcpConnect));
        assert!(!grant.allows(to("10.0.0.2:5432"), SocketAddrUse::TcpConnect));
        assert!(!grant.allows(to("10.0.0.1:5432"), SocketAddrUse::TcpListen));
        assert!(!grant.allows(to("0.0.0.0:80"), SocketAddrUse::TcpBind));
        assert!(SocketGrant::parse("10.0.0.1").unwrap().allows(to("10.0.0.1:1"), SocketAddrUse::UdpSend));
        assert_eq!(SocketGrant::parse("example.com:80"), None);
    }
}
