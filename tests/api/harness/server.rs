//! The real binary with a settings file of its own, killed when the test is over.

use std::{
    fs::{self, File},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Answer, Certificate, PATIENCE, Request, Wire, eventually, token_of};

/// What a start has beside its settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Launch {
    /// Words put before the command, which must end in the server's own process: `prlimit --nofile=256:256`.
    pub(crate) wrap: &'static [&'static str],
    /// The level of the log, as FANFARE_LOG has it; empty for the default.
    pub(crate) log: &'static str,
    /// Further arguments of `serve`.
    pub(crate) arguments: &'static [&'static str],
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    launch: Launch,
    folder: TempDir,
    url: String,
    metrics_url: String,
    certificate: Option<Certificate>,
}

impl Server {
    /// Starts the binary with these settings; `[server]` (free ports, an own data folder) is added here.
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_on("127.0.0.1:0", settings)
    }

    /// As [`Server::start`], on this main address.
    pub(crate) fn start_on(listen: &str, settings: &str) -> Self {
        Self::start_on_with(listen, "", settings)
    }

    /// As [`Server::start_on`], with further lines for `[server]`.
    pub(crate) fn start_on_with(listen: &str, server: &str, settings: &str) -> Self {
        Self::launch(listen, &format!("{server}\n{settings}"), Launch::default())
    }

    /// As [`Server::start_on`], with more than settings.
    pub(crate) fn launch(listen: &str, settings: &str, launch: Launch) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(folder, None, listen, settings, launch)
    }

    /// As [`Server::start`], with TLS on the main address.
    pub(crate) fn start_tls(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificate = Certificate::make(folder.path(), "first");
        let settings = format!("[tls]\ncert = {:?}\nkey = {:?}\n{settings}", certificate.cert, certificate.key);
        Self::start_in(folder, Some(certificate), "127.0.0.1:0", &settings, Launch::default())
    }

    fn start_in(folder: TempDir, certificate: Option<Certificate>, listen: &str, settings: &str, launch: Launch) -> Self {
        let data = folder.path().join("data");
        let server = format!("[server]\nlisten = {listen:?}\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {data:?}\n");
        write_settings(&folder, &format!("{server}{settings}"));
        let child = spawn(&folder, launch);
        let mut server = Self { child, launch, folder, url: String::new(), metrics_url: String::new(), certificate };
        server.wait_until_ready();
        server
    }

    /// The main address with its scheme: `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The main address as `host:port`.
    pub(crate) fn address(&self) -> String {
        host_and_port(&self.url)
    }

    /// A connection to the main address, with TLS where the server wants it.
    ///
    /// # Errors
    /// The server does not accept.
    pub(crate) fn wire(&self) -> std::io::Result<Wire> {
        let socket = TcpStream::connect(self.address())?;
        socket.set_nodelay(true)?;
        Ok(self.secure(socket))
    }

    /// A connected socket, with TLS where the server wants it.
    pub(crate) fn secure(&self, socket: TcpStream) -> Wire {
        socket.set_write_timeout(Some(PATIENCE)).expect("a TCP option");
        match &self.certificate {
            Some(certificate) => Wire::tls(socket, certificate.client()),
            None => Wire::Plain(socket),
        }
    }

    /// The certificate it was started with.
    pub(crate) fn certificate(&self) -> &Certificate {
        self.certificate.as_ref().expect("a server with TLS")
    }

    /// The folder of its files.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Publishes one event as plain JSON.
    pub(crate) fn publish(&self, token: &str, event: &Value) -> (u16, String) {
        let answer = Request::new("POST", "/api/events").bearer(token).json(event).send(self);
        (answer.status, answer.body)
    }

    /// Publishes events one after another as the API key that may; each must be accepted.
    pub(crate) fn publish_all<'a>(&self, events: impl IntoIterator<Item = &'a Value>) {
        for event in events {
            let (status, body) = self.publish(&token_of("publisher"), event);
            assert_eq!(status, 200, "{event} was refused: {body}");
        }
    }

    /// Sets what a user may do; the fields are those of `[[users]]`.
    pub(crate) fn put_principal(&self, user: &str, rights: &Value) -> Answer {
        Request::new("PUT", &format!("/api/principals/{user}")).bearer(&token_of("root")).json(rights).send(self)
    }

    /// Takes back what `put_principal` gave.
    pub(crate) fn delete_principal(&self, user: &str) -> Answer {
        Request::new("DELETE", &format!("/api/principals/{user}")).bearer(&token_of("root")).send(self)
    }

    /// The list of connections, as a server admin sees it.
    pub(crate) fn connections(&self, query: &str) -> Answer {
        Request::new("GET", &format!("/api/connections{query}")).bearer(&token_of("root")).send(self)
    }

    /// What the metrics listener answers there.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn ask_metrics_listener(&self, path: &str) -> std::io::Result<Answer> {
        Request::new("GET", path).send_to(&self.metrics_address())
    }

    /// The address of metrics and health as `host:port`.
    pub(crate) fn metrics_address(&self) -> String {
        host_and_port(&self.metrics_url)
    }

    /// The text of `/metrics`, from its own listener.
    pub(crate) fn metrics(&self) -> String {
        let answer = self.ask_metrics_listener("/metrics").expect("the metrics listener answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The sum of a metric over all its series.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.metrics();
        let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        lines.filter_map(|line| line.rsplit_once(' ')).filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }

    /// Asks the process to stop, as a service manager does, and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.wait(Duration::from_secs(40))
    }

    /// Waits until the process has ended.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let child = &mut self.child;
        eventually("the server ends after SIGTERM", patience, || child.try_wait().expect("our own child"))
    }

    /// Sends SIGTERM and does not wait.
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("`kill` is on every system");
        assert!(status.success(), "the server was gone before it was told to stop\n{}", self.log());
    }

    /// Writes other settings into the file it was started with: the whole text, made of the present one.
    pub(crate) fn rewrite_settings(&self, change: impl FnOnce(&str) -> String) {
        let text = fs::read_to_string(self.folder.path().join("fanfare.toml")).expect("the settings are there");
        write_settings(&self.folder, &change(&text));
    }

    /// Has it read its settings again, by the API.
    pub(crate) fn reload(&self) -> Answer {
        Request::new("POST", "/api/reload").bearer(&token_of("root")).send(self)
    }

    /// Has it read its settings again, by a signal.
    pub(crate) fn hang_up(&self) {
        let status = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status().expect("`kill` is on every system");
        assert!(status.success(), "the server was gone\n{}", self.log());
    }

    /// Stops it and starts it again with the same settings and data folder; the ports are new.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.restart_stopped();
    }

    /// Starts it again after a stop.
    pub(crate) fn restart_stopped(&mut self) {
        // Left over from the run before, it would name ports nobody listens on; a clean stop may have removed it.
        let _already_gone = fs::remove_file(self.run_file());
        self.child = spawn(&self.folder, self.launch);
        self.wait_until_ready();
    }

    /// Kills it without warning, lets something happen, and starts it again.
    pub(crate) fn kill_and_restart(&mut self, meanwhile: impl FnOnce()) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
        fs::remove_file(self.run_file()).expect("a killed process leaves its run file");
        meanwhile();
        self.child = spawn(&self.folder, self.launch);
        self.wait_until_ready();
    }

    /// What the process has written so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run_file(&self) -> PathBuf {
        self.data().join("run.json")
    }

    fn wait_until_ready(&mut self) {
        let file = self.run_file();
        let (url, metrics_url) = eventually("run.json in data_dir names the addresses", PATIENCE, || {
            let ended = self.child.try_wait().expect("our own child");
            assert!(ended.is_none(), "the server ended at start ({ended:?}):\n{}", self.log());
            let run: Value = serde_json::from_str(&fs::read_to_string(&file).ok()?).ok()?;
            Some((run["url"].as_str()?.to_owned(), run["metrics_url"].as_str()?.to_owned()))
        });
        (self.url, self.metrics_url) = (url.trim_end_matches('/').to_owned(), metrics_url);
        let address = self.address();
        let ask = || Request::new("GET", "/readyz").send_over(self.wire()?, &address);
        eventually("GET /readyz answers 200", PATIENCE, || ask().ok().filter(|answer| answer.status == 200));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; what matters is that none outlives its test.
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log());
        }
    }
}

/// Starts the binary with settings (the whole file) that must keep it from starting: how it ended, and all it wrote.
pub(crate) fn refused_start(settings: &str) -> (ExitStatus, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_settings(&folder, &settings.replace("FOLDER", &folder.path().display().to_string()));
    let mut child = spawn(&folder, Launch::default());
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().expect("our own child");
            panic!("it started, or hangs: {settings}");
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    (status, fs::read_to_string(folder.path().join("log")).expect("its output"))
}

fn write_settings(folder: &TempDir, text: &str) {
    let file = folder.path().join("fanfare.toml");
    fs::write(&file, text).expect("the settings are written");
    // Settings with tokens in them are for their owner only.
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("the settings are ours");
}

fn spawn(folder: &TempDir, launch: Launch) -> Child {
    let log = File::options().create(true).append(true).open(folder.path().join("log")).expect("a log file");
    let words: Vec<&str> = launch.wrap.iter().copied().chain([env!("CARGO_BIN_EXE_fanfare")]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg("serve").arg("--config").arg(folder.path().join("fanfare.toml")).args(launch.arguments);
    // Settings of the developer's own shell must not reach the test.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FANFARE_")) {
        command.env_remove(name);
    }
    if !launch.log.is_empty() {
        command.env("FANFARE_LOG", launch.log);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
    command.spawn().expect("the binary starts")
}

fn host_and_port(url: &str) -> String {
    url.trim_start_matches("https://").trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned()
}
