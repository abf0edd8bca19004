"""Forms a month is handed out in: one file each, exporting REPORT. Pure: figures in, bytes out."""
