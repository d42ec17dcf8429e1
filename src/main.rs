//! `fanfare`: the server, and the small commands that come with it.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Parser;
use fanfare::{
    access,
    app::{App, OwnLog, ReadSettings, StartError},
    cli::{
        Cli, Command, ServeArgs, canary, completions, config as config_command, logging, password, publish,
        run_file::{self, RunFile, RunFileGuard},
        tail, token,
    },
    config::{self, Flag, Settings},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::unbounded_channel,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().into_command() {
        Command::Serve(arguments) => serve(arguments),
        Command::Publish(arguments) => publish::run(&arguments).into(),
        Command::Tail(arguments) => tail::run(&arguments).into(),
        Command::Canary(arguments) => canary::run(&arguments).into(),
        Command::Token(arguments) => token::run(&arguments, access::token::generate).into(),
        Command::Password(arguments) => password::run(&arguments).into(),
        Command::Config(arguments) => config_command::run(&arguments).into(),
        Command::Completions(arguments) => completions::run(&arguments).into(),
    }
}

fn serve(arguments: ServeArgs) -> ExitCode {
    let format = arguments.log_format.unwrap_or_default();
    let own_log = OwnLog::default();
    let set_log = match logging::init(format, own_log.clone()) {
        Ok(set_log) => set_log,
        Err(error) => return failed(&error),
    };
    let (read, file) = match settings(arguments) {
        Ok(settings) => settings,
        Err(error) => return failed(&error),
    };
    let settings = match read() {
        Ok(settings) => settings,
        Err(error) => return failed(&error),
    };
    let outcome = App::build(settings.clone()).map_err(Failure::from).and_then(|mut app| {
        app.tell_log(own_log);
        app.set_log(set_log);
        app.reload_from(read);
        // Said only now, so that a start that cannot be says one line: why.
        if let Some(file) = file {
            tracing::info!(file = %file.display(), "settings read");
        }
        actix_rt::System::new().block_on(run(app, &settings))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Why the server ended with an error.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    RunFile(#[from] run_file::RunFileError),
    #[error("signals cannot be received: {0}")]
    Signals(#[from] std::io::Error),
}

async fn run(mut app: App, settings: &Settings) -> Result<(), Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hang_up = signal(SignalKind::hangup())?;
    let (tell, mut certificates) = unbounded_channel();
    // Nobody listens any more only while the server ends.
    app.tell_certificate(Arc::new(move |cert| drop(tell.send(std::path::absolute(cert).ok()))));
    let mut run_file = RunFile {
        url: format!("{}://{}", if settings.tls.pair().is_some() { "https" } else { "http" }, app.address()?),
        metrics_url: Some(format!("http://{}", app.metrics_address()?)),
        certificate: settings.tls.pair().and_then(|(cert, _)| std::path::absolute(cert).ok()),
        token: app.run_token().expose().to_owned(),
    };
    let running = app.start().await?;
    let mut guard = announce(settings, &run_file)?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => running.reload(),
            Some(certificate) = certificates.recv() => {
                run_file.certificate = certificate;
                match run_file::write(&settings.server.data_dir, &run_file) {
                    Ok(written) => guard = written,
                    Err(error) => tracing::error!("the clients of this machine are not told of the other certificate: {error}"),
                }
            }
        }
    }
    tracing::info!("stopping");
    tokio::select! {
        () = running.stop() => tracing::info!("stopped"),
        _ = terminate.recv() => at_once(guard),
        _ = interrupt.recv() => at_once(guard),
    }
    Ok(())
}

/// A second signal waits for nothing, not even for threads that are still at work.
fn at_once(guard: RunFileGuard) {
    tracing::warn!("stopped at once by a second signal");
    drop(guard);
    std::process::exit(0);
}

/// Says where the server is: in the run file for the clients of this machine, and on the terminal.
fn announce(settings: &Settings, run_file: &RunFile) -> Result<RunFileGuard, Failure> {
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    let guard = run_file::write(&settings.server.data_dir, run_file)?;
    tracing::info!(url = run_file.url, metrics = run_file.metrics_url.as_deref().unwrap_or_default(), "ready");
    fanfare::cli::serve::print_first_lines(settings, run_file);
    Ok(guard)
}

/// How the settings are read, at the start and again at each reload, and the file they are read from.
fn settings(arguments: ServeArgs) -> Result<(ReadSettings, Option<PathBuf>), config::ConfigError> {
    let mut flags = Vec::new();
    let mut flag = |flag, key, value: Option<String>| flags.extend(value.map(|value| Flag { flag, key, value }));
    flag("--listen", "server.listen", arguments.listen.map(|address| address.to_string()));
    flag("--metrics-listen", "server.metrics_listen", arguments.metrics_listen.map(|address| address.to_string()));
    flag("--data-dir", "server.data_dir", arguments.data_dir.map(|path| path.display().to_string()));
    flag("--name", "server.name", arguments.name);
    let environment = config::environment();
    let file = config::file_to_read(arguments.config.as_deref(), &environment)?;
    let (libraries, from) = (arguments.libraries, file.clone());
    let read: ReadSettings = Arc::new(move || {
        let mut settings = Settings::load(from.as_deref(), &environment, &flags)?;
        for library in &libraries {
            settings.add_library(library.id.clone(), library.path.clone())?;
        }
        Ok(settings)
    });
    Ok((read, file))
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    fanfare::cli::serve::print_failure(error);
    ExitCode::FAILURE
}
