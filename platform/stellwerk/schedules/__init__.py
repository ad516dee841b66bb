"""Jobs that submit themselves: by cron expression in a time zone, or at an interval."""
