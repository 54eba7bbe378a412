"""python-gitlab: an administrator looks at a job and at a group, and makes a runner of the old kind."""
import sys

import gitlab

url, token, registration, job = sys.argv[1:]
admin = gitlab.Gitlab(url, private_token=token)
attributes = admin.groups.get("acme", lazy=True).customattributes
assert {it.key: it.value for it in attributes.list(get_all=True)} == {"cc_orga_id": "orga_1"}
assert attributes.get("cc_orga_id").value == "orga_1"
job = admin.projects.get("acme/space/rocket", lazy=True).jobs.get(int(job))
print(job.status, job.trace().decode())
runner = admin.runners.create(
    {"token": registration, "description": "theirs", "tag_list": ["a", "b"], "paused": True}
)
admin.runners.verify(runner.token)
admin.http_delete("/runners", post_data={"token": runner.token})
try:
    admin.runners.verify(runner.token)
    raise AssertionError("it is still there")
except gitlab.GitlabVerifyError as refusal:
    assert refusal.response_code == 403, refusal
