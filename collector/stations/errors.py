"""Why an enrolment code, or the time of a loss, was not taken. Each sentence is for the person who typed it."""

from collector.errors import BadInputError, PushRefusedError


class CodeUnknownError(PushRefusedError):
    """安装码不对。请照着安装单重新输入；五次输错，这个码就作废。"""

    def __init__(self) -> None:
        super().__init__(403, "code-wrong", self.__doc__ or "")


class CodeDeadError(PushRefusedError):
    """这个安装码输错次数太多，已经作废。请乡镇管理站重新生成一个。"""

    def __init__(self) -> None:
        super().__init__(403, "code-dead", self.__doc__ or "")


class CodeUsedError(PushRefusedError):
    """这个安装码已经用过了。如果是更换电脑，请乡镇管理站重新生成一个。"""

    def __init__(self) -> None:
        super().__init__(409, "code-used", self.__doc__ or "")


class CodeExpiredError(PushRefusedError):
    """这个安装码已经过期（有效期 72 小时）。请乡镇管理站重新生成一个。"""

    def __init__(self) -> None:
        super().__init__(410, "code-expired", self.__doc__ or "")


class LostAheadError(BadInputError):
    """丢失时间不能晚于现在。请填电脑最后一次确认还在的时间，不清楚就不填。"""


class LostBeforeError(BadInputError):
    """丢失时间早于这台电脑的安装时间。请核对日期，不清楚就不填。"""
