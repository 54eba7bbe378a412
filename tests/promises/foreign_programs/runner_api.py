"""gitlab-runner-api: registers, asks for a job, writes its log and reports."""
import sys

from gitlab_runner_api import Runner
from gitlab_runner_api.exceptions import AuthException
from gitlab_runner_api.failure_reasons import ScriptFailure

url, registration = sys.argv[1:]
try:
    Runner.register(url, "wrong")
    raise AssertionError("anybody may register")
except AuthException:
    pass
runner = Runner.register(
    url, registration, description="theirs", run_untagged=False, tags=["theirs", "linux"],
    maximum_timeout=3600, name="theirs", executor="shell",
)
first, second = runner.request_job(), runner.request_job()
assert runner.request_job() is None, "a third job"
for job in first, second:
    # Once: it forgets its own first line when it counts, and then wants what GitLab gave up long ago.
    job.log += f"{job.name} in {job.project_path}: {job.script}\n"
first.set_success()
second.set_failed(ScriptFailure())
