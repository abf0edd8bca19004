"""Errors of the centre. The docstring is the message; each says what to do next.

CentreError
├── NotFoundError          nothing there under this name
├── NotAllowedError        this person may not do that
├── ConflictError          somebody else was quicker
├── BadInputError          what was sent cannot be taken
│   └── PushRefusedError   a push or enrolment that is refused as a whole
└── SetupError             the centre cannot start
    └── InUseError         another process has the database
"""


class CentreError(Exception):
    """Something the centre could not do."""

    status = 500
    problem = "internal"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class NotFoundError(CentreError):
    """这个网址没有内容。请检查网址，或返回首页。"""

    status = 404
    problem = "not-found"


class NotAllowedError(CentreError):
    """您没有做这件事的权限。请与区中心联系。"""

    status = 403
    problem = "not-allowed"


class ConflictError(CentreError):
    """别人刚刚改过这条记录。请刷新页面，看过最新内容后再操作。"""

    status = 409
    problem = "conflict"


class BadInputError(CentreError):
    """填写的内容有误。请按提示改正后再提交。"""

    status = 422
    problem = "bad-input"


class PushRefusedError(BadInputError):
    """The centre refuses this request as a whole; `status` and `problem` say why."""

    def __init__(self, status: int, problem: str, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem
        self.retry_after_s = retry_after_s


class SetupError(CentreError):
    """中心无法启动。请按提示处理后重新运行。"""


class InUseError(SetupError):
    """数据库正由另一个进程使用。请先停止它，再运行。"""
