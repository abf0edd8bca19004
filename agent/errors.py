"""Errors of the agent. The docstring is the message; each says what to do next.

AgentError
├── SettingsError        the settings file cannot be used
├── NotEnrolledError     the station has no identity yet
├── EnrolmentError       the centre did not take the code
├── SpoolError           the spool could not be written
│   └── SpoolFullError   there is no room left to record
├── LinkError            the centre could not be reached
├── BundleError          a bundle or receipt carried by hand cannot be used
└── UpgradeError         a release cannot be taken
"""


class AgentError(Exception):
    """Something the agent could not do."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class SettingsError(AgentError):
    """设置文件有误，请按提示修改后重新启动。"""


class NotEnrolledError(AgentError):
    """本机还没有登记。请向乡镇管理站要安装码，然后运行：yuanjiao-agent enroll 安装码"""


class EnrolmentError(AgentError):
    """中心没有接受安装码。请核对后重新输入，或请乡镇管理站重新生成。"""


class SpoolError(AgentError):
    """The spool could not be written; the record is kept in memory and tried again."""


class SpoolFullError(SpoolError):
    """There is no room left to record: free space on the disk; nothing recorded so far is lost."""


class LinkError(AgentError):
    """连不上中心。请检查网线和路由器；记录都保存在本机，连通后会自动补传。"""


class BundleError(AgentError):
    """记录包或回执不能用。请按提示处理后重试。"""


class UpgradeError(AgentError):
    """升级包不能用。请按提示处理后重试。"""
