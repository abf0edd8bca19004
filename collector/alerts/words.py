"""The words of messages: their states and what went wrong with them, as the district reads it."""

from collector.alerts.channels.base import Problem
from collector.alerts.queries import State
from collector.tickets.words import Look
from collector.web.i18n import msgid

STATES: dict[State, Look] = {
    State.PENDING: Look(msgid("待发送"), "▲", "amber"),
    State.SENT: Look(msgid("已发出"), "●", "green"),
    State.FAILED: Look(msgid("没有送到"), "■", "red"),
    State.MOVED: Look(msgid("已改用别的渠道"), "◇", "blue"),
    State.FOLDED: Look(msgid("已并入汇总"), "◇", "blue"),
    State.SUPERSEDED: Look(msgid("已被新消息取代"), "○", "grey"),
}

PROBLEMS: dict[Problem, str] = {
    Problem.UNREACHABLE: msgid("连不上对方的服务器。请检查区中心的网络。"),
    Problem.TIMED_OUT: msgid("对方的服务器没有及时回答。"),
    Problem.BUSY: msgid("对方说发得太快，过一会儿会再发。"),
    Problem.SERVER_FAILED: msgid("对方的服务器出错，过一会儿会再发。"),
    Problem.GARBAGE: msgid("对方的回答看不懂。请检查地址是否正确，网络是否需要登录。"),
    Problem.REFUSED: msgid("对方拒绝了这条消息。请按代码查对方的说明。"),
    Problem.BAD_KEY: msgid("密钥不对，或机器人已停用。请管理员更换密钥。"),
    Problem.BAD_ADDRESS: msgid("收件地址不对。请改正这个人的联系方式。"),
    Problem.NOT_NAMED: msgid("回调网址不在允许的名单里。请管理员在设置里写明这个主机。"),
    Problem.NOT_TAKEN: msgid("邮件服务器没有收下。请检查邮箱设置和收件地址。"),
    Problem.NOT_DELIVERED: msgid("运营商说短信没有送到手机。请打电话，并核对手机号。"),
    Problem.DEFECT: msgid("程序出错，没有发出。请把发生时间告诉维护人员。"),
    Problem.PERSON_GONE: msgid("这个人已不在人员名单里。"),
    Problem.CHANNEL_SHUT: msgid("这个渠道没有设置密钥。请管理员在设置里补上。"),
}


def explain(error: str) -> tuple[str, str]:
    """The sentence for an error as the outbox keeps it, and the number beside it."""
    name, _, detail = error.partition(" ")
    return (PROBLEMS[Problem(name)], detail) if name in set(Problem) else (error, "")
