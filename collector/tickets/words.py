"""The words, shapes and colours of tickets: one table for pages, wall, workbooks and messages.

Never colour alone: each state has a shape and a word besides. Words are Chinese msgids; pages translate them.
"""

from dataclasses import dataclass
from enum import StrEnum

from collector.faults.rules.base import Category, Severity


class TicketState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    WAITING = "waiting"
    VERIFYING = "verifying"
    CLOSED = "closed"


class Action(StrEnum):
    """What a line of a ticket's history says was done, by a person or by the machine."""

    OPENED = "opened"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    COMMENTED = "commented"
    REASSIGNED = "reassigned"
    ESCALATED = "escalated"
    ASKED = "asked"
    UNACKNOWLEDGED = "unacknowledged"
    REMINDED = "reminded"
    NUDGED = "nudged"
    WAITED = "waited"
    RESOLVED = "resolved"
    RECOVERED = "recovered"
    RELAPSED = "relapsed"
    UNCONFIRMED = "unconfirmed"
    WORSENED = "worsened"
    JOINED = "joined"
    LEFT = "left"
    MERGED = "merged"
    SPLIT = "split"
    LINKED = "linked"
    PHOTO_REMOVED = "photo_removed"
    EXCUSED = "excused"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Look:
    """How one value is shown. `colour` is a token of the style sheet: red, amber, blue, green, grey."""

    word: str
    shape: str
    colour: str


STATES: dict[TicketState, Look] = {
    TicketState.OPEN: Look("待受理", "■", "red"),
    TicketState.ACKNOWLEDGED: Look("处理中", "▲", "amber"),
    TicketState.WAITING: Look("已挂起", "◇", "blue"),
    TicketState.VERIFYING: Look("待验证", "◐", "blue"),
    TicketState.CLOSED: Look("已办结", "●", "green"),
}

SEVERITIES: dict[Severity, Look] = {
    Severity.CRITICAL: Look("紧急", "■", "red"),
    Severity.MAJOR: Look("重要", "▲", "amber"),
    Severity.MINOR: Look("一般", "○", "grey"),
}

ACTIONS: dict[Action, str] = {
    Action.OPENED: "发现故障",
    Action.REOPENED: "再次发生",
    Action.ACKNOWLEDGED: "受理",
    Action.COMMENTED: "备注",
    Action.REASSIGNED: "转派",
    Action.ESCALATED: "升级",
    Action.ASKED: "到期询问",
    Action.UNACKNOWLEDGED: "受理失效",
    Action.REMINDED: "每日提醒",
    Action.NUDGED: "到期前提醒",
    Action.WAITED: "挂起",
    Action.RESOLVED: "报告已修好",
    Action.RECOVERED: "设备已恢复，正在验证",
    Action.RELAPSED: "验证期间又出现",
    Action.UNCONFIRMED: "修复未获证实",
    Action.WORSENED: "情况加重",
    Action.JOINED: "并入区域故障",
    Action.LEFT: "从区域故障中分出",
    Action.MERGED: "并入工单",
    Action.SPLIT: "恢复为单独工单",
    Action.LINKED: "关联工单",
    Action.PHOTO_REMOVED: "删除照片",
    Action.EXCUSED: "事后登记的停电或检修，不计入统计",
    Action.CLOSED: "办结",
}

CATEGORIES: dict[Category, str] = {
    Category.OPERATOR: "操作",
    Category.SOFTWARE: "软件",
    Category.HARDWARE_COMMON: "一般硬件",
    Category.HARDWARE_MAJOR: "重大硬件",
    Category.NETWORK: "网络",
    Category.POWER: "供电",
    Category.SATELLITE: "卫星",
    Category.COURSEWARE: "课件",
}

STEPS: dict[int, str] = {
    0: "本站操作员",
    1: "骨干操作员",
    2: "乡镇管理站",
    3: "邻近乡镇骨干",
    4: "区中心",
}

REPORTED = "reported"
"""The rule of tickets that people open by hand: no sensor sees such a fault, so people alone close it."""

EXCUSED_BY = "outage_id"
"""Under this name the facts of a ticket keep the outage that explains it; such a ticket is counted nowhere."""

HELPED: dict[str, str] = {
    "plain": "操作员的处理提示有效",
    "backbone": "骨干的处理提示有效",
    "other": "用了别的办法",
}
"""Answers to the question, asked at the end, which hint has mended it."""
