//! Where credentials and the region come from: the container, a profile, the instance.

use std::fs;

use serde_json::json;

use crate::support::agent::agent;
use crate::support::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};
use crate::support::{LONG, Worker, ordered_scene, worker};

/// What an agent hands out.
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

/// Renders two frames on S3, with no credentials but those that `set` provides.
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

fn token_of_every_request(server: &S3Server) -> Vec<Option<String>> {
    let token = |header: Option<&str>| header.map(str::to_owned);
    let requests = server.requests();
    let mut tokens: Vec<_> =
        requests.iter().map(|request| token(request.header("x-amz-security-token"))).collect();
    tokens.dedup();
    tokens
}

#[test]
fn those_of_the_container_are_used() {
    let (address, asked) = agent(|_| Some(credentials()));
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "let me in").unwrap();
    renders(&server, |run| {
        run.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{address}/credentials"))
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
    });
    let asked = asked.recv_timeout(LONG).unwrap();
    assert!(asked.starts_with("get /credentials "), "{asked}");
    assert!(asked.contains("authorization: let me in"), "{asked}");
    assert_eq!(token_of_every_request(&server), [Some("the session".to_owned())]);
}

#[test]
fn those_of_a_profile_are_used() {
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
    assert_eq!(token_of_every_request(&server), [None]);
}

#[test]
fn those_of_the_instance_are_used_and_its_region() {
    let (address, asked) = agent(|request| {
        let path = request.split(' ').nth(1)?;
        match path.trim_end_matches('/') {
            "/latest/api/token" => Some("a token".to_owned()),
            "/latest/meta-data/placement/region" => Some("eu-central-1".to_owned()),
            "/latest/meta-data/iam/security-credentials" => Some("the-role".to_owned()),
            "/latest/meta-data/iam/security-credentials/the-role" => Some(credentials()),
            _ => None,
        }
    });
    // Redirects whoever asks in another region; nobody needs to be here.
    let server = S3Server::start_in_region("eu-central-1");
    renders(&server, |run| {
        run.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{address}"))
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .with(|command| _ = command.env_remove("AWS_REGION"))
    });
    let asked: Vec<_> = asked.try_iter().collect();
    assert!(asked.iter().any(|head| head.starts_with("put /latest/api/token")), "{asked:?}");
    assert_eq!(token_of_every_request(&server), [Some("the session".to_owned())]);
    let redirected = server.requests().iter().filter(|r| r.status == Some(301)).count();
    assert_eq!(redirected, 0);
}
