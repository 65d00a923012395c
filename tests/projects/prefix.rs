//! A project that lies on S3 as it is: `-i s3://BUCKET/PREFIX --main shots/010.blend`.

use std::fs;

use serde_json::json;

use crate::support::machine::{Machine, pictures};
use crate::support::s3_server::{Operation, Request, S3Server};
use crate::support::schema::parse;
use crate::support::{Worker, worker};

/// A film with a shot that needs a library and a picture in other folders, and its copy on S3.
fn film(server: &S3Server) -> Machine {
    let machine = Machine::new();
    machine.picture("film/tex/wood.png", 1);
    machine.scene("film/lib/thing.blend", "show(cube, image('//../tex/wood.png'))");
    let thing = machine.text("film/lib/thing.blend");
    machine.scene(
        "film/shots/010.blend",
        &format!(
            "bpy.data.objects.remove(cube)
link({thing:?})
bpy.data.libraries[0].filepath = '//../lib/thing.blend'"
        ),
    );
    for name in ["tex/wood.png", "lib/thing.blend", "shots/010.blend"] {
        server.put(&format!("film/{name}"), &fs::read(machine.path("film").join(name)).unwrap());
    }
    server.put("film/.hidden/key", b"hidden");
    server.put("film/tex/", b"");
    server.put("filmed", b"of another prefix");
    machine
}

fn render(server: &S3Server, machine: &Machine, out: &str) -> Worker {
    let render = worker("render").input(server.uri("film")).s3(server).output(machine.path(out));
    render.args("--frames 1,3 --main shots/010.blend")
}

#[test]
fn a_prefix_is_rendered_like_a_folder() {
    let server = S3Server::start();
    let machine = film(&server);
    let here = worker("render").input(machine.path("film")).output(machine.path("here"));
    here.args("--frames 1,3 --main shots/010.blend").run().exits(0);
    let cache = machine.path("cache");
    let run = render(&server, &machine, "out").arg("--cache-dir").arg(&cache).run().exits(0);
    run.logs(&["fetching all 3 files", "is not known before it is opened"]);
    assert_eq!(pictures(&machine.path("out")), pictures(&machine.path("here")));
    let of_hidden =
        |it: &Request| it.key.contains("hidden") && it.operation == Operation::GetObject;
    assert!(!server.requests().iter().any(of_hidden));

    // The same again: nothing is fetched. Another texture: everything is rendered again.
    let run = render(&server, &machine, "out").run().exits(0);
    run.logs(&["already"]).never_logs(&["starting /", "fetching all"]);
    machine.picture("film/tex/wood.png", 2);
    server.put("film/tex/wood.png", &fs::read(machine.path("film/tex/wood.png")).unwrap());
    let run = render(&server, &machine, "out").arg("--cache-dir").arg(&cache).run().exits(0);
    run.logs(&["lib/thing.blend was in the cache"]);
    assert_ne!(pictures(&machine.path("out")), pictures(&machine.path("here")));

    let inspect = worker("inspect").input(server.uri("film")).s3(&server);
    let run = inspect.args("--main shots/010.blend --deep --json").run().exits(0);
    let found = parse("inspect", run.stdout);
    assert_eq!(found["blender"]["unusable_files"], json!([]));
    let submit = worker("submit").input(server.uri("film")).s3(&server).output(server.uri("out"));
    let submit = submit.args("--job-queue q --job-definition d -f 1 --dry-run");
    let run = submit.args("--main shots/010.blend").run().exits(0);
    let jobs = parse("submit", run.stdout);
    assert_eq!(jobs["render"]["parameters"]["inputUri"], server.uri("film"));
    let variables = jobs["render"]["containerOverrides"]["environment"].as_array().unwrap();
    assert!(variables.contains(&json!({"name": "MAIN", "value": "shots/010.blend"})));
}

#[test]
fn a_prefix_that_is_no_project_is_refused_before_anything_is_fetched() {
    let server = S3Server::start();
    let machine = film(&server);
    let missing =
        worker("render").input(server.uri("film")).s3(&server).args("-f 1 --main 0.blend");
    let run = missing.output(machine.path("out")).run();
    run.fails(2, &["--main (MAIN)", "lib/thing.blend, shots/010.blend"]);
    for (key, text) in [
        ("film/C:/a.png", "absolute"),
        ("film/a\\b.png", "backslash"),
        ("film/TEX/Wood.png", "cannot be in one folder"),
        ("film/tex/wood.png/x", "both a file and a folder"),
    ] {
        server.put(key, b"x");
        render(&server, &machine, "out").run().fails(65, &["is refused", text]);
        server.remove(key);
    }
    assert_eq!(server.count(Operation::GetObject), 0);
    assert!(!machine.path("out/frames").exists());
}
