//! The sources of credentials and the region: the container, a profile, the instance, SSO.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use crate::support::agent::agent;
use crate::support::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};
use crate::support::{LONG, Worker, ordered_scene, worker};

/// The response of a credentials endpoint.
fn credentials() -> String {
    json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": ACCESS_KEY,
        "SecretAccessKey": SECRET_KEY,
        "Token": "the session",
        "Expiration": "2099-01-01T00:00:00Z",
    })
    .to_string()
}

/// Renders two frames on S3 with the credentials that `set` provides, and no others.
fn renders(server: &S3Server, set: impl FnOnce(Worker) -> Worker) {
    server.put("a.blend", &ordered_scene(1, 2, &json!({})));
    let run = worker("render")
        .s3(server)
        .with(|command| {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        })
        .input(server.uri("a.blend"))
        .output(server.uri("out"))
        .args("-f 2")
        .stand_in_blender();
    set(run).run().exits(0);
    assert_eq!(server.keys("out/frames/").len(), 2);
}

/// Returns the session tokens of all requests, without repetitions.
fn session_tokens(server: &S3Server) -> Vec<Option<String>> {
    let token = |header: Option<&str>| header.map(str::to_owned);
    let requests = server.requests();
    let mut tokens: Vec<_> =
        requests.iter().map(|request| token(request.header("x-amz-security-token"))).collect();
    tokens.dedup();
    tokens
}

#[test]
fn credentials_of_the_container_are_used() {
    let (address, requests) = agent(|_| Some(credentials()));
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "let me in").unwrap();
    renders(&server, |run| {
        run.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{address}/credentials"))
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
    });
    let request = requests.recv_timeout(LONG).unwrap();
    assert!(request.starts_with("get /credentials "), "{request}");
    assert!(request.contains("authorization: let me in"), "{request}");
    assert_eq!(session_tokens(&server), [Some("the session".to_owned())]);
}

#[test]
fn credentials_of_a_profile_are_used() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let keys = format!("aws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n");
    let credentials = file("credentials", format!("[studio]\n{keys}"));
    let config = file("config", "[profile studio]\nregion=us-east-1\n".to_owned());
    renders(&server, |run| {
        run.env("AWS_PROFILE", "studio")
            .env("AWS_SHARED_CREDENTIALS_FILE", credentials)
            .env("AWS_CONFIG_FILE", config)
            .with(|command| _ = command.env_remove("AWS_REGION"))
    });
    assert_eq!(session_tokens(&server), [None]);
}

#[test]
fn credentials_and_region_of_the_instance_are_used() {
    let (address, requests) = agent(|request| {
        let path = request.split(' ').nth(1)?;
        match path.trim_end_matches('/') {
            "/latest/api/token" => Some("a token".to_owned()),
            "/latest/meta-data/placement/region" => Some("eu-central-1".to_owned()),
            "/latest/meta-data/iam/security-credentials" => Some("the-role".to_owned()),
            "/latest/meta-data/iam/security-credentials/the-role" => Some(credentials()),
            _ => None,
        }
    });
    // The server redirects requests signed for another region.
    let server = S3Server::start_in_region("eu-central-1");
    renders(&server, |run| {
        run.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{address}"))
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .with(|command| _ = command.env_remove("AWS_REGION"))
    });
    let requests: Vec<_> = requests.try_iter().collect();
    assert!(requests.iter().any(|head| head.starts_with("put /latest/api/token")), "{requests:?}");
    assert_eq!(session_tokens(&server), [Some("the session".to_owned())]);
    let redirected = server.requests().iter().filter(|r| r.status == Some(301)).count();
    assert_eq!(redirected, 0);
}

/// Writes an executable script.
fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_credential_process_is_not_killed_when_blender_ends() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let (helper, config) = (folder.path().join("helper"), folder.path().join("config"));
    // It runs again and again, because its credentials are about to expire, and slowly, so that
    // Blender often ends meanwhile.
    script(
        &helper,
        &format!(
            "echo begun >> {log}\nsleep 0.05\n\
             expiration=$(date -u -d '+5 seconds' +%Y-%m-%dT%H:%M:%SZ)\n\
             echo '{{\"Version\": 1, \"AccessKeyId\": \"{ACCESS_KEY}\", \"SecretAccessKey\": \
             \"{SECRET_KEY}\", \"Expiration\": \"'$expiration'\"}}'\necho done >> {log}\n",
            log = folder.path().join("log").display()
        ),
    );
    fs::write(&config, format!("[default]\ncredential_process = {}\n", helper.display())).unwrap();
    // While frames are stored, Blender leaves orphans, fails, and is started again.
    let once = |at: i32| folder.path().join(format!("once-{at}"));
    let steps: Vec<_> = (2..8)
        .flat_map(|at| {
            let daemon = json!({"at": at, "do": "fork_daemon"});
            [daemon, json!({"at": at, "do": "exit", "code": 1, "once": once(at)})]
        })
        .collect();
    server.put("a.blend", &ordered_scene(1, 8, &json!({ "steps": steps })));
    let run = worker("render")
        .s3(&server)
        .with(|command| {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        })
        .env("AWS_CONFIG_FILE", &config)
        .input(server.uri("a.blend"))
        .output(server.uri("out"))
        .args("-f 8")
        .stand_in_blender();
    let run = run.run().exits(0);
    assert_eq!(server.keys("out/frames/").len(), 8, "{}", run.text());
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    let count = |word: &str| log.lines().filter(|line| *line == word).count();
    assert!(count("begun") > 8, "{log}");
    assert_eq!(count("begun"), count("done"), "{log}");
}

#[test]
fn credentials_of_an_sso_login_are_used() {
    let (address, requests) = agent(|request| {
        let role = json!({
            "accessKeyId": ACCESS_KEY,
            "secretAccessKey": SECRET_KEY,
            "sessionToken": "the session",
            "expiration": 4_070_908_800_000_u64,
        });
        let response = json!({ "roleCredentials": role }).to_string();
        request.contains("/federation/credentials").then_some(response)
    });
    let server = S3Server::start();
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join(".aws/sso/cache");
    fs::create_dir_all(&cache).unwrap();
    // The file that `aws sso login` writes. Its name is the SHA-1 of the session name, `studio`.
    let token = json!({"accessToken": "let me in", "expiresAt": "2099-01-01T00:00:00Z"});
    let file = cache.join("9a12c50f2f23af9f1a313af952aee2b30627ac7b.json");
    fs::write(file, token.to_string()).unwrap();
    let profile = "[default]\nsso_session = studio\nsso_account_id = 123456789012\n\
                   sso_role_name = render\n[sso-session studio]\nsso_region = us-east-1\n\
                   sso_start_url = https://studio.awsapps.com/start\n";
    fs::write(home.path().join(".aws/config"), profile).unwrap();
    renders(&server, |run| {
        run.env("HOME", home.path()).env("AWS_ENDPOINT_URL_SSO", format!("http://{address}"))
    });
    let request = requests.recv_timeout(LONG).unwrap();
    assert!(request.contains("role_name=render") && request.contains("let me in"), "{request}");
    assert_eq!(session_tokens(&server), [Some("the session".to_owned())]);
}

#[test]
fn invalid_settings_are_named_and_not_retried() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let sso = "[default]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n";
    let sso_session = format!(
        "{sso}[sso-session s]\nsso_region = us-east-1\n\
         sso_start_url = https://x.awsapps.com/start\n"
    );
    let [config, url, region] = ["AWS_CONFIG_FILE", "AWS_ENDPOINT_URL", "AWS_REGION"];
    let keys = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")];
    let profile = |name: &str, text: &str| vec![(config, file(name, text))];
    let with_keys = |name, value: &str| {
        let mut set = keys.map(|(name, value)| (name, value.to_owned())).to_vec();
        set.push((name, value.to_owned()));
        set
    };
    for (set, exit, text) in [
        (with_keys(url, "not a url"), 2, "AWS_ENDPOINT_URL: `not a url`"),
        (with_keys(url, "localhost:9000"), 2, "AWS_ENDPOINT_URL: `localhost:9000`"),
        (with_keys(region, "eu west/1"), 2, "AWS_REGION: `eu west/1`"),
        (with_keys(region, "us-east-1a"), 2, "AWS_REGION: `us-east-1a`"),
        (vec![keys[0]].into_iter().map(|(n, v)| (n, v.to_owned())).collect(), 2, "AWS_SECRET"),
        (vec![("AWS_PROFILE", "nobody".to_owned())], 2, "AWS_PROFILE: there is no profile"),
        (vec![(config, folder.path().display().to_string())], 2, "AWS_CONFIG_FILE"),
        (vec![(config, "/none".to_owned())], 2, "AWS_CONFIG_FILE names /none"),
        (profile("broken", "[default\n"), 2, "AWS_CONFIG_FILE"),
        (profile("half", "[default]\naws_access_key_id = x\n"), 2, "aws_secret_access_key"),
        (
            profile("source", "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = z\n"),
            2,
            "source profile z",
        ),
        (profile("no-session", sso), 2, "sso-session"),
        (profile("login", "[default]\nlogin_session = arn:aws:iam::1:user/a\n"), 2, "`aws login`"),
        (profile("sso", &sso_session), 77, "`aws sso login`"),
        (profile("gone", "[default]\ncredential_process = /no/helper\n"), 69, "/no/helper"),
        (
            profile("sorry", "[default]\ncredential_process = sh -c 'echo so sorry >&2; exit 3'\n"),
            69,
            "so sorry",
        ),
        (
            vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "/none".to_owned()),
                ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r".to_owned()),
            ],
            2,
            "AWS_WEB_IDENTITY_TOKEN_FILE",
        ),
        (
            vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", "not a uri".to_owned())],
            2,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    ] {
        // `inspect` uses S3, `status` AWS Batch.
        let status = "00000002-aaaa-bbbb-cccc-ddddeeeeffff";
        for (action, argument) in [("inspect", "-is3://bucket/a.blend"), ("status", status)] {
            let mut run = worker(action).arg(argument).args("--log-level debug");
            run = run.env("HOME", folder.path());
            if !set.iter().any(|(name, _)| *name == region) {
                run = run.env(region, "us-east-1");
            }
            for (name, value) in &set {
                run = run.env(name, value);
            }
            let run = run.run().exits(exit);
            let error = run.final_error();
            assert!(error.contains(text), "{action}: {text:?} is not in {error}");
            let retries = run.text().matches("\"attempt\":").count();
            assert_eq!(retries, 0, "{action}: {}", run.text());
        }
    }
}

#[test]
fn empty_variables_count_as_unset_for_the_aws_sdk() {
    let server = S3Server::start();
    renders(&server, |run| {
        run.env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_PROFILE", "")
            .env("AWS_ENDPOINT_URL_S3", "")
            .env("AWS_REGION", "")
            .env("AWS_DEFAULT_REGION", "us-east-1")
    });
}
