# Sourced by the scripts beside it: every variable of the repository and its environment (VARIABLES, as JSON) becomes a
# setting of the commands that follow; what the workflow sets itself stays.
while IFS= read -r -d '' pair; do
  name=${pair%%=*}
  if [[ $name =~ ^[A-Z][A-Z0-9_]*$ && ! -v $name ]]; then
    export "$name=${pair#*=}"
  fi
done < <(jq --join-output 'to_entries[] | "\(.key)=\(.value)\u0000"' <<< "$VARIABLES")

# People keep these under version control, where a change of them is reviewed.
if [ -f mappings/overrides.csv ]; then
  export INTEGRATION_ASSETS_OVERRIDES="${INTEGRATION_ASSETS_OVERRIDES:-$PWD/mappings/overrides.csv}"
fi
if [ -f mappings/same_requests.csv ]; then
  export INTEGRATION_ASSETS_SAME_REQUESTS="${INTEGRATION_ASSETS_SAME_REQUESTS:-$PWD/mappings/same_requests.csv}"
fi
if [ -f mappings/table.toml ]; then
  export INTEGRATION_ASSETS_TABLE="${INTEGRATION_ASSETS_TABLE:-$PWD/mappings/table.toml}"
fi
