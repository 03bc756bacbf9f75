DROP TABLE audit_log, api_keys, one_time_tokens, invitations, team_members, teams, memberships, users;
DROP FUNCTION audit_log_only_grows;
