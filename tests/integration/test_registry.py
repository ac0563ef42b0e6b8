"""The schema registry leat serves, read-only, in Confluent's form; and `leat schema` on the same
store."""

import json
import os

from lib import api, check, leat, servers, wait

NAME = "leat_registry"
FORM = "application/vnd.schemaregistry.v1+json"
_system = {}


def system():
    """URL of a running HTTP side and its home; KindsCounted has a second version in the store."""
    if _system:
        return _system["url"], _system["home"]
    h = leat.Home("tests/e2e/topology/interop.yaml", modules=os.path.join(
        servers.BIN_DIR, "modules", "interop"), replace={"name: interop\n": f"name: {NAME}\n"})
    h.forget(NAME)
    h.must("apply")
    path = counted(h)
    with open(path, encoding="utf-8") as f:
        schema = json.load(f)
    schema["fields"].append({"name": "by", "type": ["null", "string"], "default": None})
    with open(path, "w", encoding="utf-8") as f:
        json.dump(schema, f)
    h.must("apply")
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = h.start("--role", "http", "--listen", url.removeprefix("http://"))
    wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 60,
               "leat to be ready")
    _system.update(home=h, url=url, process=process)
    return url, h


def counted(h):
    return os.path.join(h.dir, "schemas", "interop", "KindsCounted.avsc")


def got(path, status=200):
    answer = api.get(system()[0] + path)
    check.equal(answer.status, status, path)
    check.equal(answer.headers["Content-Type"], FORM, path)
    return answer.json


@check.test
def subjects_and_versions():
    check.equal(sorted(got("/subjects")), ["KindsCounted", "KindsMade", "KindsState", "MakeKinds"])
    for prefix, names in (("KindsM", ["KindsMade"]), ("KindsMadeX", []), (":*:", got("/subjects"))):
        check.equal(got(f"/subjects?subjectPrefix={prefix}"), names, prefix)
    check.equal(got("/subjects/KindsCounted/versions"), [1, 2])
    first, second = (got(f"/subjects/KindsCounted/versions/{v}") for v in (1, 2))
    check.equal(got("/subjects/KindsCounted/versions/latest"), second)
    check.equal(sorted(first), ["id", "schema", "subject", "version"])
    check.equal((first["subject"], first["version"], second["version"]), ("KindsCounted", 1, 2))
    check.equal([f["name"] for f in json.loads(second["schema"])["fields"]], ["id", "times", "by"])
    check.equal(got("/subjects/KindsCounted/versions/2/schema"), json.loads(second["schema"]))


@check.test
def ids():
    version = got("/subjects/KindsMade/versions/1")
    check.equal(got(f"/schemas/ids/{version['id']}"), {"schema": version["schema"]})
    check.equal(got(f"/schemas/ids/{version['id']}/schema"), json.loads(version["schema"]))
    check.equal(got(f"/schemas/ids/{version['id']}/versions"),
                [{"subject": "KindsMade", "version": 1}])
    check.equal(got(f"/schemas/ids/{version['id']}?subject=x&fetchMaxId=false"),
                {"schema": version["schema"]})
    check.equal((got("/schemas/types"), got("/mode")), (["AVRO"], {"mode": "READONLY"}))


@check.test
def a_subject_may_have_topic_and_namespace_before_it():
    plain = got("/subjects/KindsMade/versions/latest")
    for name in ("org.example.kinds.KindsMade", f"{NAME}.events-org.example.kinds.KindsMade",
                 f"{NAME}.events-KindsMade"):
        check.equal(got(f"/subjects/{name}/versions/latest"), plain, name)


@check.test
def errors_have_the_registrys_codes():
    for path, status, code in (
            ("/subjects/None/versions", 404, 40401), ("/subjects/None/versions/1", 404, 40401),
            ("/subjects/KindsMade/versions/9", 404, 40402), ("/schemas/ids/99999", 404, 40403),
            ("/schemas/ids/x", 404, 40403), ("/schemas/ids/99999/versions", 404, 40403),
            ("/subjects/KindsMade/versions/0", 422, 42202),
            ("/subjects/KindsMade/versions/new", 422, 42202)):
        answer = got(path, status)
        check.equal((answer["error_code"], sorted(answer)), (code, ["error_code", "message"]), path)


@check.test
def nothing_can_be_written():
    url, _ = system()
    answer = api.post(url + "/subjects/KindsMade/versions", {"schema": '"int"'})
    check.equal(answer.status, 405)


@check.test
def the_verb_lists_and_shows():
    _, h = system()
    rows = h.must_json("schema", "list")
    check.equal([(r["version"], r["current"]) for r in rows if r["type"] == "KindsCounted"],
                [(1, False), (2, True)])
    check.equal(len(rows), 5)
    check.contains(h.must("schema", "list"), "KindsCounted  2")
    first = json.loads(h.must("schema", "show", "KindsCounted:1"))
    check.equal([f["name"] for f in first["fields"]], ["id", "times"])
    check.equal(json.loads(h.must("schema", "show", rows[0]["id"]))["name"], rows[0]["type"])
    check.equal(json.loads(h.must("schema", "show", counted(h))),
                json.loads(h.must("schema", "show", "KindsCounted")))
    for name, why in (("KindsCount", "Did you mean KindsCounted?"),
                      ("KindsCounted:7", "2 versions"),
                      ("99999", "no schema of id 99999"), ("none.avsc", "no schema file")):
        done = h.cli("schema", "show", name)
        check.equal((done.returncode, done.stdout), (3, ""), done.stderr)
        check.contains(done.stderr, why)


@check.test
def the_verb_compares():
    _, h = system()
    check.equal(h.must("schema", "compare", "KindsCounted:1", "KindsCounted"),
                "backward: yes (the new one reads what the old wrote)\n"
                "forward: yes (the old one reads what the new writes)\n")
    path = os.path.join(h.dir, "KindsCounted.avsc")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"type": "record", "name": "KindsCounted", "fields": [
            {"name": "id", "type": "string"}, {"name": "times", "type": "int"},
            {"name": "why", "type": "string", "default": ""}]}, f)
    done = h.cli("schema", "compare", "KindsCounted:2", path)
    check.equal(done.returncode, 3)
    check.equal(done.stdout, "backward: no (the new one reads what the old wrote)\n"
                "  times: long can't be read as int\n"
                "forward: yes (the old one reads what the new writes)\n")
    h.must("schema", "compare", "--need", "forward", "KindsCounted:2", path)
    done = h.cli("schema", "compare", "--need", "full", "--json", "KindsCounted:2", path)
    check.equal(done.returncode, 3)
    check.equal(json.loads(done.stdout), {
        "backward": {"compatible": False, "reasons": [
            {"path": "times", "reason": "long can't be read as int", "sometimes": False}]},
        "forward": {"compatible": True, "reasons": []}})
    for arguments in (["compare", "KindsMade"], ["list", "x"], ["like", "x"],
                      ["compare", "--need", "all", path, path]):
        done = h.cli("schema", *arguments)
        check.equal((done.returncode, done.stdout), (2, ""), done.stderr)


if __name__ == "__main__":
    check.main()
