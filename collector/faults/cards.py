"""What people read about faults of many stations at once, of the centre itself, and about what people report."""

from collector.faults.rules.base import Card, Category, Severity

AREA_SILENT = Card(
    name="area_silent",
    title="乡镇大面积失联",
    text="{area} {expected} 个站点中有 {silent} 个同时失联",
    hint_plain="全乡镇的站点同时断线，多半是停电或线路中断，不是本站的故障。请看附近是否停电，来电后把主机打开。",
    hint_backbone="先问供电所和电信营业厅是否停电、断网，再查乡镇机房的光猫和交换机。各站点不用逐个跑。",
    category=Category.NETWORK,
    severity=Severity.MAJOR,
)
COLLECTOR_ISOLATED = Card(
    name="collector_isolated",
    title="区中心可能断网",
    text="全区 {expected} 个站点中有 {silent} 个同时失联，多半是区中心自己的网络或服务器出了问题",
    hint_plain="这是区中心的故障，站点不用处理。",
    hint_backbone="区中心先查自己：服务器能否上网、防火墙和证书是否改动、域名能否解析；都正常再问电信部门。",
    category=Category.NETWORK,
    severity=Severity.CRITICAL,
)
AREA_UNSTABLE = Card(
    name="area_unstable",
    title="乡镇线路时断时续",
    text="{area} {expected} 个站点中有 {silent} 个的网络同时时断时续",
    hint_plain="全乡镇的网络都时断时续，不是本站的故障，站点不用处理。",
    hint_backbone="先查乡镇机房的光猫、交换机和供电，再问电信部门线路是否在检修。各站点不用逐个跑。",
    category=Category.NETWORK,
    severity=Severity.MINOR,
)
COLLECTOR_UNSTABLE = Card(
    name="collector_unstable",
    title="区中心线路时断时续",
    text="全区 {expected} 个站点中有 {silent} 个的网络同时时断时续，多半是区中心自己的线路",
    hint_plain="这是区中心的线路，站点不用处理。",
    hint_backbone="区中心先查自己的出口线路、防火墙和服务器负荷；都正常再问电信部门。",
    category=Category.NETWORK,
    severity=Severity.MAJOR,
)
UPLINK_SILENT = Card(
    name="uplink_silent",
    title="天网没有新课件",
    text="全区 {expected} 个站点中只有 {received} 个在最近 {hours} 小时收到新课件，多半是上行没有播发",
    hint_plain="全区都没有收到新课件，不是本站的故障，不用处理。",
    hint_backbone="多数站点都没有新课件，不用查本站的天线和接收卡；请区中心向上级询问播发计划。",
    category=Category.SATELLITE,
    severity=Severity.MINOR,
)
RULE_FAILED = Card(
    name="rule_failed",
    title="故障判断程序出错",
    text="判断“{title}”的规则出错，其他规则照常：{error}",
    hint_plain="这是区中心软件的故障，站点不用处理。",
    hint_backbone="请区中心把这条信息和服务器日志发给软件维护人员。",
    category=Category.SOFTWARE,
    severity=Severity.MAJOR,
)
REPORTED = Card(
    name="reported",
    title="人工报修",
    text="{text}",
    hint_plain="先看电源、开关和线缆是否插好，把设备断电一分钟再开。还不行就拍下现象的照片，写进工单。",
    hint_backbone="先给报修人打电话，请对方照着说一遍现象，再决定是否到现场；能拍照的请对方拍照。",
    category=Category.HARDWARE_COMMON,
    severity=Severity.MAJOR,
)
_CARDS = (AREA_SILENT, COLLECTOR_ISOLATED, AREA_UNSTABLE, COLLECTOR_UNSTABLE, UPLINK_SILENT, RULE_FAILED, REPORTED)
AREA_CARDS = {each.name: each for each in _CARDS}
